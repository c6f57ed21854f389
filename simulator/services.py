"""The services of this package, for the registry."""

from ares.service.types import Capability, ServiceSpec

EXCHANGE = ServiceSpec(
    "exchange",
    "simulator.service:create_exchange",
    provides=lambda _: [Capability("exchange", {"protocol": "binance"})],
)
