"""Reads what the planner must know."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ares.clock import DAY_NS, NANOS_PER_MICRO, to_datetime, to_ns
from ares.config.lake import TierRule
from ares.config.settings import AresConfig
from ares.store import Database, Record, load_queries
from ares.store.partitions import whole_name
from ares.store.pool import as_int, as_str
from backup.tiers.model import ColdDay, DayKey, Hold, HotPartition, State, Surroundings, TableFacts

QUERIES = load_queries("backup.tiers", "queries.sql")
CHANNELS = {"trades": ("trades", "trades_archive")}
"""Tables that hold a channel's rows, where they are not named like it."""
ANALYSED = frozenset({"trades", "quotes", "books"})
"""Of what bars and features are made."""
ALWAYS_TO_NS = 2**63 - 1 - DAY_NS
TTL_UNITS = {"HOUR": "HOURS", "DAY": "DAYS", "WEEK": "WEEKS", "MONTH": "MONTHS", "YEAR": "YEARS"}


@dataclass(slots=True)
class FactReader:
    """Asks QuestDB. Raises `StoreUnavailable`, `StoreRejected`."""

    config: AresConfig
    database: Database

    async def look(self, rule: TierRule, now_ns: int) -> tuple[TableFacts, Surroundings]:
        """A table, and what holds its rows back."""
        facts = await self.table(rule, now_ns)
        around = await self.around(now_ns, min((day.day_ns for day in facts.hot), default=now_ns))
        return facts, replace(around, holds=(*around.holds, *await self._uncopied(facts)))

    async def around(self, now_ns: int, from_ns: int) -> Surroundings:
        """What holds rows back; of bars that are not frozen those that are not older than `from_ns`."""
        proved_ns: int | None = None
        if self.config.lake.backup_before_drop == "proved":
            row = await self.database.fetch_one(QUERIES["proved_to"])
            proved_ns = 0 if row is None else as_int(row["proved_ns"])
        holds = [
            *open_gaps(await self.database.fetch(QUERIES["open_gaps"])),
            *datasets(
                await self.database.fetch(QUERIES["datasets"]),
                frozenset(tier.table for tier in self.config.lake.tiers),
                await self.database.fetch(QUERIES["models"]),
            ),
            *unfrozen(await self.database.fetch(QUERIES["frozen"], _span(from_ns, now_ns))),
        ]
        return Surroundings(now_ns, tuple(holds), proved_ns, self.config.database.retention_trades_days)

    async def _uncopied(self, facts: TableFacts) -> list[Hold]:
        """Days of which an InfluxDB that shall have all lacks rows; those before `influx.since` it shall not have."""
        influx, table = self.config.influx, facts.table
        if influx.target is None or table not in influx.tables:
            return []
        rows = await self.database.fetch(QUERIES["copied"], {"target": influx.target, "table": table})
        copied = {as_int(row["day_ns"]): as_int(row["rows"] or 0) for row in rows}
        since_ns = 0 if influx.since is None else to_ns(influx.since)
        return uncopied(table, facts.hot, copied, since_ns)

    async def table(self, rule: TierRule, now_ns: int) -> TableFacts:
        """Partitions, rows by day, and what the cold tier has of them."""
        table = rule.table
        partitions = whole_partitions(await self.database.fetch(QUERIES["partitions"], {"table": table}))
        bases = {as_str(row["name"]) for row in await self.database.fetch(QUERIES["bases"])}
        ttl = await self.database.fetch_one(QUERIES["ttl"], {"table": table})
        age = "" if ttl is None or not as_int(ttl["value"]) else f"{ttl['value']} {TTL_UNITS[as_str(ttl['unit'])]}"
        hot = await self.hot_days(table, 0, now_ns + DAY_NS)
        return TableFacts(table, partitions, hot, await self.cold_days(table), table in bases, age)

    async def hot_days(self, table: str, from_ns: int, to_ns: int) -> dict[DayKey, int]:
        """Rows in QuestDB of each day of a span."""
        rows = await self.database.fetch(QUERIES["days"].replace("this_table", table), _span(from_ns, to_ns))
        return {_day(row): as_int(row["rows"]) for row in rows}

    async def cold_days(self, table: str) -> dict[DayKey, ColdDay]:
        """The newest revision of each day in the cold tier."""
        found: dict[DayKey, ColdDay] = {}
        for row in await self.database.fetch(QUERIES["cold"], {"table": table}):
            before = found.get(_day(row))
            found[_day(row)] = _cold(row, was_proved=before is not None and before.was_proved)
        return found

    async def pinned(self, location: str) -> list[int]:
        """Versions of a Delta table that a dataset rests on."""
        rows = await self.database.fetch(QUERIES["pinned"], {"location": location})
        return [as_int(row["delta_version"]) for row in rows]

    async def keys(self, table: str) -> list[str]:
        """The columns by which rows are told apart, time first."""
        rows = await self.database.fetch(QUERIES["keys"], {"table": table})
        return ["ts", *sorted({as_str(row["name"]) for row in rows} - {"ts"})]

    async def server_now_ns(self) -> int:
        """The server's own clock."""
        row = await self.database.fetch_one(QUERIES["clock"])
        assert row is not None, "a SELECT without a table has one row"
        return as_int(row["now_us"]) * NANOS_PER_MICRO


def whole_partitions(rows: Iterable[Record]) -> tuple[HotPartition, ...]:
    """Partitions by their names; one into which rows came out of order lies in parts for a while, and is still one."""
    parts: dict[str, list[Record]] = {}
    for row in rows:
        parts.setdefault(whole_name(as_str(row["name"]), as_str(row["unit"])), []).append(row)
    return tuple(
        HotPartition(
            name,
            sum(as_int(part["rows"]) for part in found),
            sum(as_int(part["size_bytes"]) for part in found),
            all(part["is_parquet"] is True for part in found),
            any(part["active"] is True for part in found),
        )
        for name, found in sorted(parts.items())
    )


def open_gaps(rows: Iterable[Record]) -> list[Hold]:
    """What may still be fetched belongs to rows beside it, so these wait for it."""
    holds = []
    for row in rows:
        channel, from_ns = as_str(row["channel"]), as_int(row["from_ns"] or 0)
        to_ns_ = as_int(row["to_ns"]) if row["to_ns"] is not None else ALWAYS_TO_NS
        tables = frozenset(CHANNELS.get(channel, (channel,)))
        whose = f"{row['venue']} {row['symbol'] or ''} {channel}"
        reason = f"gap {row['gap_id']} of {whose} is open: heal it, or say that it is lost"
        holds.append(Hold(reason, from_ns, to_ns_ + 1, tables, _text(row["venue"]), _text(row["symbol"])))
    return holds


def datasets(rows: Iterable[Record], tables: frozenset[str], models: Iterable[Record]) -> list[Hold]:
    """Versions whose bytes lie nowhere else: they are read from the tables again, and so are models fitted on them."""
    newest = {(row["name"], row["version"]): row for row in rows}
    trained = [(f"{row['model']} {row['version']}", row) for row in models]
    holds = []
    for (name, version), row in newest.items():
        if row["status"] != "made" or (row["location"] and row["sha256"]):
            continue
        from_ns = as_int(row["from_ns"] or 0)
        to_ns_ = as_int(row["to_ns"]) if row["to_ns"] is not None else ALWAYS_TO_NS
        named = frozenset(re.findall(r"\w+", str(row["source"] or ""))) & tables
        users = [
            model
            for model, fit in trained
            if as_int(fit["from_ns"] or 0) < to_ns_ and from_ns < as_int(fit["to_ns"] or 0)
        ]
        cited = f" (perhaps model {', '.join(users[-3:])} too)" if users else ""
        reason = f"dataset {name}@{version} is read from here{cited}: materialise or retire it"
        holds.append(Hold(reason, from_ns, to_ns_, named or None))
    return holds


def uncopied(table: str, hot: Mapping[DayKey, int], copied: Mapping[int, int], since_ns: int) -> list[Hold]:
    """Days of which fewer rows were sent elsewhere than are here."""
    here: Counter[int] = Counter()
    for day, rows in hot.items():
        here[day.day_ns] += rows
    reason = "the InfluxDB has not {} of {} rows of {:%Y-%m-%d}: mend it, or take {} out of influx.tables"
    return [
        Hold(
            reason.format(rows - copied.get(day_ns, 0), rows, to_datetime(day_ns), table),
            day_ns,
            day_ns + DAY_NS,
            frozenset({table}),
        )
        for day_ns, rows in sorted(here.items())
        if day_ns >= since_ns and copied.get(day_ns, 0) < rows
    ]


def unfrozen(rows: Iterable[Record]) -> list[Hold]:
    """Days of which bars are not all frozen, where any are: they are made of the rows."""
    holds = []
    for row in rows:
        minutes, left, day = as_int(row["minutes"]), as_int(row["unfrozen"] or 0), _day(row)
        if left:
            reason = f"{day.label}: {left} of {minutes} bars are not frozen yet"
            holds.append(Hold(reason, day.day_ns, day.day_ns + DAY_NS, ANALYSED, day.venue, day.symbol))
    return holds


def _span(from_ns: int, to_ns: int) -> dict[str, datetime]:
    return {"from": to_datetime(from_ns), "to": to_datetime(to_ns)}


def _day(row: Record) -> DayKey:
    return DayKey(as_int(row["day_ns"]), _text(row["venue"]) or "", _text(row["symbol"]) or "")


def _text(value: object) -> str | None:
    return None if value is None else as_str(value)


def _cold(row: Record, *, was_proved: bool) -> ColdDay:
    state: State = "dropped" if row["state"] == "dropped" else "proved" if row["state"] == "proved" else "copied"
    native, parquet = (None if row[name] is None else as_int(row[name]) for name in ("native_bytes", "parquet_bytes"))
    return ColdDay(
        state,
        as_int(row["revision"]),
        as_int(row["rows"]),
        as_str(row["row_hash"]),
        as_int(row["delta_version"]),
        as_int(row["recorded_ns"]),
        as_str(row["location"]),
        native,
        parquet,
        as_int(row["delta_bytes"] or 0),
        was_proved or state != "copied",
    )
