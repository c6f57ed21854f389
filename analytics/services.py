"""The services of this package, for the registry."""

from ares.service.types import ServiceSpec

ANALYTICS = ServiceSpec("analytics", "analytics.service:create", depends_on=("questdb", "ingest"))
