"""What somebody who was not here needs to help: one archive, without secrets and without what was traded.

Each part is collected for itself: one that cannot be had is named in MANIFEST.json with the reason.
"""

from __future__ import annotations

import asyncio
import io
import os
import platform
import tarfile
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from urllib.request import urlopen

import orjson
import psutil

from ares.clock import NANOS_PER_SECOND, isoformat
from ares.config.changes import shown
from ares.control import ControlStore
from ares.files import PRIVATE_MODE
from ares.redaction import redact
from ares.security.audit.witness import verify_with
from ares.service.auditing import witness_dir
from ares.service.config_versions import ConfigVersions
from ares.service.doctor import examine
from ares.service.drift import ASK_S_MAX, cards, drifts
from ares.service.types import ServiceContext
from ares.store import Database
from ares.store.health import storage_health

LOG_LINES_MAX = 5_000
PART_S_MAX = 120.0
HISTORY_MAX = 100
LEFT_OUT = "rows of tables, payloads of events, and every secret; logs are as they were written"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the archive, and how its text is had. `collect` may raise whatever it likes."""

    name: str
    collect: Callable[[], Awaitable[str]]


@dataclass(slots=True)
class Manifest:
    """What is in the archive, and what is not and why."""

    made_at: str
    version: str
    left_out: str = LEFT_OUT
    parts: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


async def write_bundle(
    path: Path, context: ServiceContext | None, made_at_ns: int, problem: str, tell: Tell
) -> Manifest:
    """Write the archive, readable by its owner only. `context` is None where the settings cannot be read: `problem`.

    Raises `OSError` if the file cannot be written.
    """
    manifest = Manifest(isoformat(made_at_ns), metadata.version("ares-trading"))
    if problem:
        manifest.missing["settings"] = redact(problem)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_MODE)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for part in parts(context):
            tell(part.name)
            try:
                text = await asyncio.wait_for(part.collect(), PART_S_MAX)
            except Exception as error:
                manifest.missing[part.name] = redact(f"{type(error).__name__}: {error}")
                continue
            manifest.parts.append(part.name)
            _add(archive, part.name, redact(text), made_at_ns)
        _add(archive, "MANIFEST.json", _json(asdict(manifest)), made_at_ns)
    return manifest


def parts(context: ServiceContext | None) -> Iterator[Part]:
    """Everything that is asked for, what needs no settings first."""
    yield Part("machine.json", _threaded(_machine))
    if context is None:
        return
    config = context.config
    yield Part("config.json", _threaded(lambda: _json(shown(config))))
    yield Part("config_history.json", _threaded(lambda: _history(context)))
    yield Part("config_drift.json", _threaded(lambda: _json([asdict(each) for each in drifts(config)])))
    yield Part("control.json", _threaded(lambda: _with_control(context, _control_facts)))
    yield Part("audit.json", _threaded(lambda: _with_control(context, lambda control: _audit(context, control))))
    yield Part("doctor.json", lambda: _doctor(context))
    yield Part("storage.json", lambda: _storage(context))
    for card in cards(context.state_dir):
        yield Part(f"metrics/{card.service}.txt", _threaded(partial(_metrics, card.port)))
    for log in sorted((context.state_dir / "logs").glob("*.log")):
        yield Part(f"logs/{log.name}", _threaded(partial(_tail, log)))


def _threaded(work: Callable[[], str]) -> Callable[[], Awaitable[str]]:
    return lambda: asyncio.to_thread(work)


def _machine() -> str:
    disk = psutil.disk_usage(str(Path.cwd()))
    facts: Mapping[str, object] = {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processors": psutil.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "memory_free_mb": psutil.virtual_memory().available // 2**20,
        "disk_free_mb": disk.free // 2**20,
        "load": psutil.getloadavg(),
        "packages": {each.name: each.version for each in metadata.distributions()},
    }
    return _json(facts)


def _history(context: ServiceContext) -> str:
    def read(control: ControlStore) -> str:
        history = ConfigVersions(control, context.clock, context.instance).history()
        return _json([asdict(version) for version in history[-HISTORY_MAX:]])

    return _with_control(context, read)


def _with_control(context: ServiceContext, read: Callable[[ControlStore], str]) -> str:
    control = ControlStore.open(context.control_url)
    try:
        return read(control)
    finally:
        control.close()


def _control_facts(control: ControlStore) -> str:
    counts: dict[str, int] = {}
    for event in control.category("", control.log_end()):
        name = f"{event.category}.{event.type}"
        counts[name] = counts.get(name, 0) + 1
    letters = control.dead_letters()
    return _json(
        {
            "events": counts,
            "log_end": control.log_end(),
            "outbox_end": control.outbox_end(),
            "cursors": {name: control.cursor(name) for name in ("questdb", "questdb_events")},
            "dead_letters": [{"subscription": each.subscription, "error": each.error} for each in letters],
        }
    )


def _audit(context: ServiceContext, control: ControlStore) -> str:
    verdict = verify_with(control, witness_dir(context))
    return _json(
        {
            "entries": verdict.entries,
            "writers": verdict.writers,
            "heads": verdict.heads,
            "faults": [asdict(fault) for fault in verdict.faults],
        }
    )


async def _doctor(context: ServiceContext) -> str:
    return _json([asdict(finding) for finding in await examine(context.config, context.clock)])


async def _storage(context: ServiceContext) -> str:
    async with await Database.connect(context.config.database, readonly=True) as database:
        return _json(await storage_health(database))


def _metrics(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=ASK_S_MAX) as answer:
        text: str = answer.read().decode()
        return text


def _tail(log: Path) -> str:
    with log.open(encoding="utf-8", errors="backslashreplace") as file:
        return "".join(deque(file, maxlen=LOG_LINES_MAX))


def _json(value: object) -> str:
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(value, default=str, option=options).decode()


def _add(archive: tarfile.TarFile, name: str, text: str, made_at_ns: int) -> None:
    content = text.encode()
    entry = tarfile.TarInfo(f"ares-support/{name}")
    entry.size, entry.mode, entry.mtime = len(content), PRIVATE_MODE, made_at_ns // NANOS_PER_SECOND
    archive.addfile(entry, io.BytesIO(content))
