"""Services, jobs and the processes they run in."""

from ares.service.jobs import JobScheduler, JobSpec, run_job
from ares.service.types import Health, Service, ServiceContext, ServiceSpec

__all__ = ["Health", "JobScheduler", "JobSpec", "Service", "ServiceContext", "ServiceSpec", "run_job"]
