"""Services, jobs and the processes they run in."""

from ares.service.jobs import JobScheduler, JobSpec, run_job
from ares.service.types import Capability, Health, Service, ServiceContext, ServiceSpec

__all__ = ["Capability", "Health", "JobScheduler", "JobSpec", "Service", "ServiceContext", "ServiceSpec", "run_job"]
