"""The services of this package, for the registry."""

from ares.service.types import ServiceSpec

ALERTS = ServiceSpec("alerts", "alerting.receiver.service:AlertsService")
"""It needs nobody to start: it must be there when the others are not."""
