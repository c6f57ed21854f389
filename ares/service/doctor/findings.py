"""From what was observed to what it means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail", "skip"]

GIB = 1024**3
FREE_SHARE_WARN, FREE_SHARE_FAIL = 0.15, 0.05
FREE_GIB_FAIL = 1.0
DAYS_WARN, DAYS_FAIL = 14.0, 2.0
CLOCK_MS_WARN, CLOCK_MS_FAIL = 250.0, 1_000.0
"""Venues refuse signed requests that are off by more than their receive window, a few seconds at most."""
INODES_SHARE_WARN, INODES_SHARE_FAIL = 0.10, 0.02
CERTIFICATE_DAYS_WARN, CERTIFICATE_DAYS_FAIL = 14.0, 2.0
OPEN_FILES_MIN = 65_536
MAPS_MIN = 1_048_576
"""What QuestDB's documentation asks of the system: it maps a file per column and partition."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `observed` is what was seen; `way_out` says what to do about a warn or fail."""

    check: str
    status: Status
    observed: str
    way_out: str = ""


def disk(free: int, total: int, bytes_per_day: float | None) -> Finding:
    """Space for the state directory, and how long it lasts at the pace of the last runs; sizes in bytes."""
    days = free / bytes_per_day if bytes_per_day and bytes_per_day > 0 else None
    forecast = (
        "no forecast yet" if bytes_per_day is None else "not growing" if days is None else f"{days:.0f} days left"
    )
    observed = f"{free / GIB:.1f} of {total / GIB:.1f} GiB free, {forecast}"
    way_out = "Make room, or move environment.state_dir; `ares db sql` with table_storage() tells the largest tables"
    if free / total < FREE_SHARE_FAIL or free / GIB < FREE_GIB_FAIL or (days is not None and days < DAYS_FAIL):
        return Finding("disk", "fail", observed, way_out)
    if free / total < FREE_SHARE_WARN or (days is not None and days < DAYS_WARN):
        return Finding("disk", "warn", observed, way_out)
    return Finding("disk", "ok", observed)


def inodes(free: int, total: int) -> Finding:
    """Room for more files: QuestDB keeps one a column and partition. Some file systems count none (total 0)."""
    if total == 0:
        return Finding("inodes", "skip", "this file system does not count them")
    share = free / total
    observed = f"{free} of {total} free"
    way_out = "Drop old partitions, or move environment.state_dir to a file system made with more inodes"
    if share < INODES_SHARE_WARN:
        return Finding("inodes", "fail" if share < INODES_SHARE_FAIL else "warn", observed, way_out)
    return Finding("inodes", "ok", observed)


def clock_kept(synchronised: bool | None) -> Finding:
    """Whether the system says that somebody keeps its clock right; None if it does not say."""
    if synchronised is None:
        return Finding("clock kept", "skip", "the system does not say")
    if synchronised:
        return Finding("clock kept", "ok", "synchronised")
    return Finding(
        "clock kept", "warn", "nobody keeps this clock right", "apt-get install chrony, or systemd-timesyncd"
    )


def certificate(what: str, days: float | None, observed: str, way_out: str) -> Finding:
    """How long a certificate still holds; `days` None if it could not be read."""
    name = f"certificate of {what}"
    if days is None:
        return Finding(name, "fail", observed, way_out)
    if days < CERTIFICATE_DAYS_WARN:
        return Finding(name, "fail" if days < CERTIFICATE_DAYS_FAIL else "warn", observed, way_out)
    return Finding(name, "ok", observed)


def clock(against: str, offset_ms: float | None) -> Finding:
    """Our clock minus another's; None if that one could not be asked."""
    name = f"clock against {against}"
    if offset_ms is None:
        return Finding(name, "skip", "could not be asked")
    observed = f"{offset_ms:+.0f} ms"
    way_out = "Let chrony or systemd-timesyncd keep the time: signed requests and lateness rest on it"
    if abs(offset_ms) > CLOCK_MS_FAIL:
        return Finding(name, "fail", observed, way_out)
    return Finding(name, "warn" if abs(offset_ms) > CLOCK_MS_WARN else "ok", observed, way_out)


def at_least(check: str, number: int, least: int, way_out: str) -> Finding:
    """A limit of the system that should be higher."""
    return Finding(check, "ok" if number >= least else "warn", f"{number}", "" if number >= least else way_out)


def private(path: str, mode: int) -> Finding:
    """A file or folder that others must not read."""
    observed = f"{path} is {mode & 0o777:o}"
    if mode & 0o077:
        return Finding("permissions", "warn", observed, f"chmod go-rwx {path}")
    return Finding("permissions", "ok", observed)


def encryption(profile: str, folder: str, encrypted: bool | None) -> Finding:
    """Whether a folder lies on an encrypted volume; None if that cannot be told here."""
    if encrypted:
        return Finding("encryption", "ok", f"{folder} lies on an encrypted volume")
    observed = f"{folder}: not encrypted" if encrypted is False else f"{folder}: cannot be told from here"
    way_out = f"Put {folder} on a LUKS volume, or on a disk that the provider encrypts"
    return Finding("encryption", "fail" if profile == "prod" and encrypted is False else "warn", observed, way_out)


def version(what: str, found: str, wanted: str) -> Finding:
    """A component that is of another version than this release was tested with."""
    if found == wanted:
        return Finding(f"version of {what}", "ok", found)
    return Finding(f"version of {what}", "warn", f"{found}, tested with {wanted}", f"Install {what} {wanted}")


def storage(states: Iterable[Mapping[str, object]]) -> list[Finding]:
    """Tables and materialized views by what the database says; only what is wrong, or one line that all is well."""
    found: list[Finding] = []
    seen = list(states)
    for each in seen:
        name, state = str(each["name"]), each["state"]
        if state == "suspended":
            found.append(Finding(name, "fail", "suspended: writes are kept, nobody sees them",
                                 f'Mend the cause (disk?); mirror then does ALTER … {name} RESUME WAL'))  # fmt: skip
        elif state == "invalid":
            found.append(Finding(name, "fail", "the view is invalid and keeps its old rows",
                                 f"As admin: REFRESH MATERIALIZED VIEW {name} FULL"))  # fmt: skip
    return found or [Finding("storage", "ok", f"{len(seen)} tables and views, none suspended or invalid")]


def worst(findings: Iterable[Finding]) -> Status:
    """The most serious status among them."""
    found = {finding.status for finding in findings}
    order: tuple[Status, ...] = ("fail", "warn", "ok")
    return next((status for status in order if status in found), "skip")
