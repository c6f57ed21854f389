"""Sees in the database what is no event of the log, and says it there once (`api.notify.events`), for all targets.

A table is looked at when it was committed to, and only if somebody wants to be told. Rows may come late: the mirror and
the spools of ingest catch up after QuestDB was away. So each look goes back beyond the last one, and as far as the
moment before QuestDB was away, for an hour after it is back; what was said already is known by its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from api.notify.events import REGISTRY, ROWS_SEEN, RowSeen, RowsSeen
from api.notify.figures import span
from api.notify.notices import OF_ROWS, line_of
from ares.clock import DAY_NS, HOUR_NS, MINUTE_NS, NANOS_PER_SECOND, Clock, floor_ns, isoformat, to_datetime
from ares.control import ControlStore, once_it_fits
from ares.store import Database, Param, load_queries
from ares.store.pool import Record, as_int, as_str

QUERIES = load_queries("api", "queries/notify.sql")
APPLIED = load_queries("api", "queries/stream.sql")["applied"]
ROWS_MAX = 5_000
LATE_NS = HOUR_NS
BROKEN_OFF_NS = 5 * MINUTE_NS
"""Nobody looked for longer: the database or this service was away."""
SEEN_FOR_NS = 2 * DAY_NS


class RowWatch:
    """`look` again and again. Raises `StoreError`, `ControlUnavailable`."""

    def __init__(self, database: Database, control: ControlStore, clock: Clock) -> None:
        self._database = database
        self._control = control
        self._clock = clock
        self._applied: dict[str, int] = {}
        self._seen: dict[str, dict[str, int]] = {}
        self._looked_ns = 0
        self._steady_since_ns = 0

    async def look(self, wanted: Mapping[str, int]) -> None:
        """Say what is new. `wanted`: tables that somebody wants to be told of, and since when (UTC ns)."""
        now_ns = self._clock.now_ns()
        if now_ns - self._looked_ns > BROKEN_OFF_NS:
            self._steady_since_ns = now_ns
            self._applied.clear()
        found = {as_str(row["name"]): as_int(row["applied"]) for row in await self._database.fetch(APPLIED)}
        for table, since_ns in wanted.items():
            if found.get(table, 0) != self._applied.get(table):
                await self._see(table, since_ns)
                self._applied[table] = found.get(table, 0)
            await self._steady(table, now_ns)
        for table in self._applied.keys() - wanted.keys():
            del self._applied[table], self._seen[table]
        self._looked_ns = now_ns

    async def _see(self, table: str, since_ns: int) -> None:
        last_ns = await asyncio.to_thread(self._control.cursor, _cursor(table))
        since_ns = max(since_ns, last_ns - LATE_NS)
        if table not in self._seen:
            self._seen[table] = await asyncio.to_thread(self._said, table, since_ns)
        while True:
            params: dict[str, Param] = {"since": isoformat(since_ns), "rows_max": ROWS_MAX}
            rows = [_ROWS[table](row) for row in await self._database.fetch(QUERIES[table], params)]
            new = tuple(row for row in rows if row.key not in self._seen[table])
            if new:
                await self._say(table, new)
                self._seen[table].update({row.key: row.ts_ns for row in new})
            if len(rows) < ROWS_MAX or rows[-1].ts_ns <= since_ns:
                return
            since_ns = rows[-1].ts_ns

    async def _say(self, table: str, rows: tuple[RowSeen, ...]) -> None:
        stream = _stream(table, self._clock.now_ns())
        event = ROWS_SEEN.new(RowsSeen(table, rows), self._clock.now_ns())

        async def say() -> None:
            stored = await asyncio.to_thread(self._control.read, stream)
            await asyncio.to_thread(self._control.append, stream, [event], expected_seq=len(stored))

        await once_it_fits(stream, say)

    async def _steady(self, table: str, now_ns: int) -> None:
        """Nothing that is older comes any more, where all has been in order for long enough."""
        last_ns = await asyncio.to_thread(self._control.cursor, _cursor(table))
        if now_ns - self._steady_since_ns < LATE_NS or now_ns - last_ns < MINUTE_NS:
            return
        await asyncio.to_thread(self._control.advance, _cursor(table), now_ns)
        seen = self._seen.get(table, {})
        for key in [key for key, ts_ns in seen.items() if ts_ns < now_ns - SEEN_FOR_NS]:
            del seen[key]

    def _said(self, table: str, since_ns: int) -> dict[str, int]:
        """The keys of rows that were said since a moment, by an earlier run, too."""
        found: dict[str, int] = {}
        day_ns = floor_ns(since_ns, DAY_NS)
        while day_ns <= self._clock.now_ns():
            for stored in self._control.stream(_stream(table, day_ns)):
                said = REGISTRY.read(stored).body
                assert isinstance(said, RowsSeen), "nothing else is in these streams"
                found |= {row.key: row.ts_ns for row in said.rows}
            day_ns += DAY_NS
        return found


def _cursor(table: str) -> str:
    return f"notify_rows/{table}"


def _stream(table: str, now_ns: int) -> str:
    return f"notice/{table}/{to_datetime(now_ns):%Y-%m-%d}"


def _gap(row: Record) -> RowSeen:
    where = f"{row['channel']} of {row['symbol']} at {row['venue']}"
    began_ns, ended_ns = row["started_at"], row["ended_at"]
    lasted = ""
    if isinstance(began_ns, int) and isinstance(ended_ns, int) and ended_ns >= began_ns:
        lasted = f", {span((ended_ns - began_ns) / NANOS_PER_SECOND)} long"
    by = f" by {as_text(row['healed_by'])}" if row["status"] == "healed" else ""
    return _seen(row, where, f"gap in {where}{lasted}: {row['status']}{by} ({row['cause']})")


def _refusal(row: Record) -> RowSeen:
    subject = f"{row['account']} {row['strategy']} {row['symbol']} {row['rule']}"
    text = f"refused by {row['rule']}: {row['symbol']}, {row['strategy']} of {row['account']}"
    reason = line_of(as_text(row["reason"]))
    return _seen(row, subject, f"{text}: {reason}" if reason else text)


def _job(row: Record) -> RowSeen:
    return _seen(
        row, as_str(row["job"]), f"job {row['job']} failed, {row['status']}: {line_of(as_text(row['outcome']))}"
    )


def _backup(row: Record) -> RowSeen:
    return _seen(row, as_str(row["kind"]), f"backup of {row['kind']} {row['status']}: {line_of(as_text(row['error']))}")


def _drill(row: Record) -> RowSeen:
    detail = line_of(as_text(row["error"]))
    if row["status"] == "ok":
        detail = f"back in {row['rto_s']:.0f} s, {row['rpo_market_s']:.0f} s of data lost"
    return _seen(row, "drill", f"restore drill {row['status']}: {detail}")


def _seen(row: Record, subject: str, text: str) -> RowSeen:
    account, strategy = (as_text(row.get(name)) for name in ("account", "strategy"))
    return RowSeen(as_str(row["key"]), as_int(row["ts"]), account, strategy, subject, text)


def as_text(cell: object) -> str:
    """A cell of text; empty where nothing is."""
    return cell if isinstance(cell, str) else ""


_ROWS: Mapping[str, Callable[[Record], RowSeen]] = {
    "gaps": _gap,
    "decisions": _refusal,
    "job_runs": _job,
    "backups": _backup,
    "restore_drills": _drill,
}
assert _ROWS.keys() == OF_ROWS.keys() == QUERIES.keys(), "a table without a statement, a sentence or a reader"
