"""The services of this package, for the registry."""

from ares.service.types import Capability, ServiceSpec

TRADER = ServiceSpec(
    "trader",
    "trader.service:TraderService",
    depends_on=("questdb", "mirror"),
    provides=lambda config: [Capability("trading", {"account": config.trading.account, "venue": config.trading.venue})],
)
