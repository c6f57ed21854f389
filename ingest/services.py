"""The services of this package, for the registry."""

from ares.service.types import ServiceSpec

INGEST = ServiceSpec("ingest", "ingest.service:create", depends_on=("questdb",))
