"""What this process may use and what it uses."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass

import psutil

from ares.config.settings import AresConfig, ResourceLimits
from ares.errors import ConfigError, OverMemory
from ares.telemetry import get_logger, metrics

MIB = 1024 * 1024

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process: resident memory in MiB, processor seconds since its start, descriptors, threads."""

    resident_mb: float
    cpu_s: float
    open_files: int
    threads: int


def limits_of(config: AresConfig, service: str) -> ResourceLimits:
    """The limits of a service; none unless configured."""
    return config.resources.limits.get(service, ResourceLimits())


def apply_limits(limits: ResourceLimits, service: str) -> None:
    """Take on the limits that the system enforces. Raises `ConfigError` for one that it cannot."""
    field = f"resources.limits.{service}"
    if limits.open_files_max is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and limits.open_files_max > hard:
            raise ConfigError(
                f"{field}.open_files_max", limits.open_files_max, f"the system allows {hard}", "Raise it by ulimit -Hn"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits.open_files_max, hard))
    if limits.cpus:
        _stay_on(set(limits.cpus), f"{field}.cpus")
    if limits.nice:
        os.nice(limits.nice)


def _stay_on(cpus: set[int], field: str) -> None:
    if sys.platform != "linux":
        raise ConfigError(field, sorted(cpus), "only Linux can keep a process on processors", "Leave it out here")
    known = os.sched_getaffinity(0)
    if not cpus <= known:
        raise ConfigError(field, sorted(cpus), "no such processor", f"Here are {sorted(known)}")
    os.sched_setaffinity(0, cpus)


class ResourceWatch:
    """Measures this process; says when it has outgrown its memory."""

    def __init__(self, limits: ResourceLimits) -> None:
        self._limits = limits
        self._process = psutil.Process()

    def measure(self) -> Usage:
        """What is used now."""
        with self._process.oneshot():
            times = self._process.cpu_times()
            usage = Usage(
                resident_mb=self._process.memory_info().rss / MIB,
                cpu_s=times.user + times.system,
                open_files=self._process.num_fds(),
                threads=self._process.num_threads(),
            )
        metrics.RESIDENT_MB.set(usage.resident_mb)
        return usage

    def require_within(self, usage: Usage) -> None:
        """Raises `OverMemory`: ending in order now is better than being killed at some moment."""
        if self._limits.memory_mb_max is not None and usage.resident_mb > self._limits.memory_mb_max:
            raise OverMemory(usage.resident_mb, self._limits.memory_mb_max)
