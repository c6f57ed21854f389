"""The services of this package, for the registry."""

from ares.service.types import ServiceSpec

BACKUP = ServiceSpec("backup", "backup.service:create", depends_on=("questdb", "mirror"))
