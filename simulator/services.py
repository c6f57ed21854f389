"""The services of this package, for the registry."""

from ares.service.types import ServiceSpec

EXCHANGE = ServiceSpec("exchange", "simulator.service:create_exchange")
