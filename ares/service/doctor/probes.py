"""Looks at the machine and the installation; works with everything down, and says what could not be asked."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND, Clock, to_datetime
from ares.config import AresConfig
from ares.errors import AresError, StoreError
from ares.service.doctor import findings as judge
from ares.service.doctor.certificates import certificates
from ares.service.doctor.findings import Finding
from ares.service.installation import Installation
from ares.service.timekeeping import clock_synchronised
from ares.store import Database, load_queries
from ares.store.health import storage_health
from ares.store.pool import as_int, as_str
from ares.store.server import healthy, resolve_java

QUERIES = load_queries("ares.service", "queries/doctor.sql")
ASK_S_MAX = 3.0
DAY_S = 86_400
SIZES = "sizes.json"
SIZES_MAX = 60
MIN_SPAN_S = 3_600.0
"""Between two runs closer than this, growth says nothing about days."""


async def examine(config: AresConfig, clock: Clock) -> list[Finding]:
    """Every check there is, in the order in which an operator would mend things."""
    found = [*_versions(), *_system(), *_state_dir(config, clock), *_ports(config)]
    found += _control(config)
    found += await asyncio.to_thread(lambda: list(certificates(config, to_datetime(clock.now_ns()))))
    found += await _database(config, clock)
    found.append(await asyncio.to_thread(venue_clock, config, clock))
    return found


def _versions() -> Iterator[Finding]:
    major, minor = sys.version_info[:2]
    yield Finding("version of Python", "ok" if (major, minor) >= (3, 11) else "fail", f"{major}.{minor}")
    try:
        yield Finding("Java", "ok", str(resolve_java()))
    except AresError as error:
        yield Finding("Java", "fail", str(error), "Run `make setup` again")
    for name in ("ccxt", "questdb"):
        yield judge.version(name, metadata.version(name), _tested(name))


def _tested(name: str) -> str:
    """The version that our own metadata pins."""
    for requirement in metadata.requires("ares-trading") or []:
        if requirement.startswith(f"{name}=="):
            return requirement.removeprefix(f"{name}==").split(";")[0].strip()
    return metadata.version(name)


def _system() -> Iterator[Finding]:
    yield judge.clock_kept(clock_synchronised())
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = judge.OPEN_FILES_MIN if soft == resource.RLIM_INFINITY else soft
    yield judge.at_least("open files", files, judge.OPEN_FILES_MIN, f"ulimit -n {judge.OPEN_FILES_MIN}")
    maps = Path("/proc/sys/vm/max_map_count")
    if maps.exists():
        way_out = f"sysctl vm.max_map_count={judge.MAPS_MIN}"
        yield judge.at_least("memory maps", int(maps.read_text(encoding="ascii")), judge.MAPS_MIN, way_out)


def _state_dir(config: AresConfig, clock: Clock) -> Iterator[Finding]:
    folder = config.environment.state_dir
    if not folder.is_dir():
        yield Finding("state directory", "skip", f"{folder} does not exist yet")
        return
    if not os.access(folder, os.W_OK):
        yield Finding("state directory", "fail", f"{folder} cannot be written", f"chown or chmod {folder}")
        return
    usage = shutil.disk_usage(folder)
    yield judge.disk(usage.free, usage.total, _growth(folder, clock.now_ns()))
    files = os.statvfs(folder)
    yield judge.inodes(files.f_favail, files.f_files)
    for name in ("control.db", "audit.key", "access.key"):
        path = folder / name
        if path.exists():
            yield judge.private(str(path), path.stat().st_mode)
    for kept in {folder, _control_folder(config)}:
        yield judge.encryption(config.environment.profile, str(kept), _on_encrypted_volume(kept))


def _control_folder(config: AresConfig) -> Path:
    """Where the control store's file lies; the state directory if there is none."""
    url = config.control.url
    path = None if url is None else urlsplit(url.get_secret_value())
    if path is None or not path.scheme.startswith("sqlite"):
        return config.environment.state_dir
    folder = Path(path.path[1:]).parent
    return folder if folder.is_dir() else config.environment.state_dir


def _growth(folder: Path, now_ns: int) -> float | None:
    """Bytes a day by which the state directory grew since the oldest run that is remembered; None at first."""
    size = sum(_size(file) for file in folder.rglob("*"))
    memory = folder / "run" / SIZES
    try:
        runs: list[list[int]] = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        runs = []
    memory.parent.mkdir(exist_ok=True)
    memory.write_text(json.dumps([*runs, [now_ns, size]][-SIZES_MAX:]), encoding="utf-8")
    if not runs or (now_ns - runs[0][0]) / NANOS_PER_SECOND < MIN_SPAN_S:
        return None
    return (size - runs[0][1]) / ((now_ns - runs[0][0]) / NANOS_PER_SECOND) * DAY_S


def _size(file: Path) -> int:
    """Bytes of a plain file; a running database takes files away while we look."""
    try:
        status = file.lstat()
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _on_encrypted_volume(folder: Path) -> bool | None:
    """By the device-mapper below the folder's file system; None where there is no block device to ask."""
    device = folder.stat().st_dev
    node = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not node.exists():
        return None
    return any(_is_crypt(each) for each in (node, *_below(node)))


def _below(node: Path) -> Iterator[Path]:
    for slave in (node / "slaves").glob("*"):
        yield slave
        yield from _below(slave)


def _is_crypt(node: Path) -> bool:
    uuid = node / "dm" / "uuid"
    return uuid.exists() and uuid.read_text(encoding="ascii").startswith("CRYPT-")


def _ports(config: AresConfig) -> Iterator[Finding]:
    """Free, unless everything runs already."""
    installation = Installation(config, [], lambda _: None)
    try:
        installation.require_no_other_supervisor()
    except AresError:
        yield Finding("ports", "ok", "Ares runs here and has them")
        return
    try:
        installation.require_free_ports()
    except AresError as error:
        yield Finding("ports", "fail", str(error), "See the line")
    else:
        yield Finding("ports", "ok", "free")


def _control(config: AresConfig) -> Iterable[Finding]:
    path = config.environment.state_dir / "control.db"
    if config.control.url is not None or not path.exists():
        return [Finding("control store", "skip", "no SQLite file here")]
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            (said,) = connection.execute("PRAGMA quick_check").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        said = str(error)
    if said == "ok":
        return [Finding("control store", "ok", "sound")]
    return [Finding("control store", "fail", f"damaged: {said}", "Stop everything and restore it from a backup")]


async def _database(config: AresConfig, clock: Clock) -> list[Finding]:
    if not healthy(config.database):
        where = f"{config.database.host}:{config.database.health_port}"
        return [Finding("database", "skip", f"nobody answers at {where}", "Start it: `ares db start`, or `ares up`")]
    try:
        async with await Database.connect(config.database, readonly=True) as database:
            before_ns = clock.now_ns()
            about = await database.fetch_one(QUERIES["about"])
            ours_ns = (before_ns + clock.now_ns()) // 2
            states = await storage_health(database)
    except StoreError as error:
        return [Finding("database", "fail", str(error), "See its log: <state_dir>/questdb/log")]
    assert about is not None, "one row, always"
    offset_ms = (ours_ns - as_int(about["now_ns"])) / NANOS_PER_MILLI
    return [
        judge.version("QuestDB", _version_in(as_str(about["build"])), config.database.questdb_version),
        judge.clock("QuestDB", offset_ms),
        *judge.storage(states),
    ]


def _version_in(build: str) -> str:
    """9.3.4 of "Build Information: QuestDB 9.3.4, JDK 17, Commit Hash …"."""
    return build.partition("QuestDB ")[2].partition(",")[0] or build


def venue_clock(config: AresConfig, clock: Clock) -> Finding:
    """Ours against the venue's. Only one whose address is configured is asked: looking after one machine must not call
    the world.
    """
    name = config.trading.venue
    venue = config.venues.get(name)
    if venue is None or venue.rest_url is None:
        return judge.clock(name, None)
    before_ns = clock.now_ns()
    try:
        with urlopen(f"{venue.rest_url}/api/v3/time", timeout=ASK_S_MAX) as answer:  # noqa: S310 - configured address
            theirs_ms = int(json.loads(answer.read())["serverTime"])
    except (URLError, OSError, ValueError, KeyError):
        return judge.clock(name, None)
    ours_ms = (before_ns + clock.now_ns()) / 2 / NANOS_PER_MILLI
    return judge.clock(name, ours_ms - theirs_ms)
