"""Finds what the installed packages offer."""

from __future__ import annotations

from importlib import metadata
from typing import TypeVar

from ares.errors import UnknownName
from ares.service.jobs import JobSpec
from ares.service.types import ServiceSpec

SERVICES_GROUP = "ares.services"
JOBS_GROUP = "ares.jobs"
APART_GROUP = "ares.jobs.apart"
"""Names of jobs that run in a process of their own: they compute for minutes, and no service of theirs does it."""

S = TypeVar("S")


def service(name: str) -> ServiceSpec:
    """The spec of one service; only its package is imported. Raises `UnknownName`."""
    return load(SERVICES_GROUP, "service", name, ServiceSpec)


def job(name: str) -> JobSpec:
    """The spec of one job. Raises `UnknownName`."""
    return load(JOBS_GROUP, "job", name, JobSpec)


def jobs_apart() -> list[JobSpec]:
    """Jobs that want a process of their own; no other is imported for it."""
    return [job(name) for name in names(APART_GROUP)]


def service_names() -> list[str]:
    return names(SERVICES_GROUP)


def job_names() -> list[str]:
    return names(JOBS_GROUP)


def names(group: str) -> list[str]:
    """What the installed packages offer in a group of entry points."""
    return sorted(metadata.entry_points(group=group).names)


def load(group: str, kind: str, name: str, expected: type[S]) -> S:
    """One of them. Raises `UnknownName`."""
    points = metadata.entry_points(group=group)
    if name not in points.names:
        raise UnknownName(kind, name, sorted(points.names))
    spec = points[name].load()
    assert isinstance(spec, expected), f"entry point {group}:{name} is not a {expected.__name__}"
    return spec
