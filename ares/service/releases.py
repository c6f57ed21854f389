"""Which release runs where, and one migrator at a time: what a `post` migration asks before it takes something away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ares.clock import NANOS_PER_SECOND, Clock, isoformat, to_datetime
from ares.config.replicas import PRIMARY
from ares.control import ControlStore
from ares.control.mirror import CURSOR
from ares.errors import OlderReleaseRuns, SchemaBusy, UsageError
from ares.model.lineage import DEFINING, run_of
from ares.service.beside import beside
from ares.service.heartbeat import STOPPED
from ares.service.leases import awaited, kept
from ares.service.lineage import publish
from ares.service.types import ServiceContext
from ares.store import Database, Record, RowWriter, Value, load_queries
from ares.store.migrate import Applied, Report, Statement, migrate, statements
from ares.store.migrations import schema_level
from ares.store.pool import as_int
from ares.store.replicas import database_named
from ares.telemetry import get_logger

LEASE_S = 30.0
WAIT_S_MAX = 60.0
LOOK_S = 0.5
SILENT_S_MIN = 60.0
BEATS_MISSED_MAX = 12
PAGE_ROWS = 2_000
WORDS = ("service", "instance", "host", "version", "state")
QUERIES = load_queries("ares.service", "queries/registry.sql")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Beat:
    """The last heartbeat of an instance. `level`: the newest migration its release knows, 0 where it does not say."""

    service: str
    instance: str
    host: str
    version: str
    state: str
    level: int
    seen_at_ns: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What may be done beyond what harms nobody: `post` migrations, views whose meaning changes under what stays."""

    post: bool = False
    changed: tuple[str, ...] = ()


HARMLESS = Wish()


async def migrate_schema(
    context: ServiceContext, name: str = PRIMARY, wish: Wish = HARMLESS, report: Report = lambda _: None
) -> Applied:
    """Bring a database to the schema of this release, nobody else doing so, and tell what views are made of.

    Raises `SchemaBusy` while somebody else migrates it, `OlderReleaseRuns` for `post` beside one, `UnknownName`.
    """
    target = database_named(context.config.database, name)
    control = await asyncio.to_thread(ControlStore.open, context.control_url)
    writer = RowWriter(target)
    try:
        async with alone(control, context.clock, f"schema/{name}"), await Database.connect(target) as database:

            async def gate() -> None:
                await require_no_older_release(context, control)

            post_gate = gate if wish.post else None
            applied = await migrate(
                database,
                writer,
                context.clock,
                wish.changed,
                post_gate=post_gate,
                report=report,
                own=own_views(context),
            )
        made = applied.made
        run = (run_of(DEFINING, made), context.clock.now_ns())
        await publish(context.config.lineage, DEFINING, run, made, clock=context.clock)
        return applied
    finally:
        await writer.close()
        control.close()


def own_views(context: ServiceContext) -> Sequence[Statement]:
    """The views that analysts deployed here; none where a file of theirs cannot be read, which is logged."""
    folder = context.config.features.folder(context.state_dir)
    try:
        return statements(folder) if folder.is_dir() else ()
    except UsageError as error:
        log.error("own_views_unreadable", folder=str(folder), cause=str(error))
        return ()


async def require_no_older_release(context: ServiceContext, control: ControlStore) -> None:
    """Raises `OlderReleaseRuns` while an instance beats whose release does not know all migrations of this one.

    Heartbeats count from the primary, and from the outbox where they wait for it.
    """
    silent_s = max(SILENT_S_MIN, BEATS_MISSED_MAX * context.config.monitoring.heartbeat_s)
    since_ns = context.clock.now_ns() - round(silent_s * NANOS_PER_SECOND)
    async with await Database.connect(context.config.database, readonly=True) as database:
        rows = await database.fetch(QUERIES["releases"], {"since": to_datetime(since_ns)})
    beats = {(beat.service, beat.instance): beat for beat in map(_beat, rows)}
    for beat in await asyncio.to_thread(lambda: list(_waiting_beats(control))):
        beats[beat.service, beat.instance] = beat
    level = schema_level()
    older = [b for b in beats.values() if b.state != STOPPED and b.level < level and b.seen_at_ns >= since_ns]
    if older:
        first = min(older, key=lambda beat: (beat.service, beat.instance))
        raise OlderReleaseRuns(
            f"{first.service} {first.instance} on {first.host or 'an unknown host'} (release {first.version}, "
            f"migrations up to {first.level} of {level}, last heartbeat {isoformat(first.seen_at_ns)})",
            len(older),
            silent_s,
        )


def _beat(row: Mapping[str, Value] | Record) -> Beat:
    level = row.get("schema_level")
    service, instance, host, version, state = (str(row.get(name) or "") for name in WORDS)
    return Beat(service, instance, host, version, state, 0 if level is None else as_int(level), as_int(row["ts_ns"]))


def _waiting_beats(control: ControlStore) -> Iterator[Beat]:
    """Heartbeats that nobody has carried to QuestDB yet, oldest first."""
    after = control.cursor(CURSOR)
    while page := control.outbox(after, PAGE_ROWS):
        for each in page:
            if each.row.table == "services":
                level = each.row.columns.get("schema_level")
                known = {"schema_level": level if isinstance(level, int) else None, "ts_ns": each.row.ts_ns}
                yield _beat({**each.row.symbols, **known})
        after = page[-1].seq


@asynccontextmanager
async def alone(control: ControlStore, clock: Clock, name: str) -> AsyncIterator[None]:
    """Hold a lease for the length of the block; waits for another holder `WAIT_S_MAX`.

    Raises `SchemaBusy`. The block is cancelled if the lease is lost (`LeaseLost`); a killed holder's runs out.
    """
    lease = await awaited(control, clock, name, ttl_s=LEASE_S, wait_s_max=WAIT_S_MAX, poll_s=LOOK_S)
    if lease is None:
        raise SchemaBusy(name, WAIT_S_MAX)
    try:
        async with beside(kept(control, clock, lease, LEASE_S), "lease"):
            yield
    finally:
        await asyncio.to_thread(control.release_lease, lease)
