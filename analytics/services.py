"""The services of this package, for the registry."""

from ares.service.types import Capability, ServiceSpec

ANALYTICS = ServiceSpec(
    "analytics",
    "analytics.service:create",
    depends_on=("questdb", "ingest"),
    provides=lambda config: [Capability("signals", {"venue": config.ingest.venue})],
)
