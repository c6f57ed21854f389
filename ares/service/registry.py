"""Finds what the installed packages offer."""

from __future__ import annotations

from importlib import metadata
from typing import TypeVar

from ares.errors import UnknownName
from ares.service.jobs import JobSpec
from ares.service.types import ServiceSpec

SERVICES_GROUP = "ares.services"
JOBS_GROUP = "ares.jobs"

S = TypeVar("S", ServiceSpec, JobSpec)


def service(name: str) -> ServiceSpec:
    """The spec of one service; only its package is imported. Raises `UnknownName`."""
    return _load(SERVICES_GROUP, "service", name, ServiceSpec)


def job(name: str) -> JobSpec:
    """The spec of one job. Raises `UnknownName`."""
    return _load(JOBS_GROUP, "job", name, JobSpec)


def jobs_apart() -> list[JobSpec]:
    """Jobs that want a process of their own, of all packages."""
    return [spec for name in job_names() if (spec := job(name)).apart]


def service_names() -> list[str]:
    return sorted(metadata.entry_points(group=SERVICES_GROUP).names)


def job_names() -> list[str]:
    return sorted(metadata.entry_points(group=JOBS_GROUP).names)


def _load(group: str, kind: str, name: str, expected: type[S]) -> S:
    points = metadata.entry_points(group=group)
    if name not in points.names:
        raise UnknownName(kind, name, sorted(points.names))
    spec = points[name].load()
    assert isinstance(spec, expected), f"entry point {group}:{name} is not a {expected.__name__}"
    return spec
