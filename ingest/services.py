"""The services of this package, for the registry."""

from ares.service.types import Capability, ServiceSpec

INGEST = ServiceSpec(
    "ingest",
    "ingest.service:create",
    depends_on=("questdb",),
    provides=lambda config: [Capability("venue-feed", {"venue": config.ingest.venue})],
)

INGEST_SINK = ServiceSpec("ingest-sink", "ingest.worker:create", depends_on=("questdb",))
INFLUX = ServiceSpec("influx", "ingest.influx.service:create", depends_on=("questdb",))
