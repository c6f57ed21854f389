"""The services of this package, for the registry."""

from ares.service.types import ServiceSpec

TRADER = ServiceSpec("trader", "trader.service:TraderService", depends_on=("questdb", "mirror"))
