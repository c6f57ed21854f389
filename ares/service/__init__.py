"""Services, jobs and the processes they run in. What schedules and runs jobs is `ares.service.jobs`."""

from ares.service.types import Capability, Health, Service, ServiceContext, ServiceSpec

__all__ = ["Capability", "Health", "Service", "ServiceContext", "ServiceSpec"]
