"""Channels: which collection each follows, what a row of it is the newest of, and which tables move it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.cells import Cell
from api.resource import Resource
from api.resources import RESOURCES
from ares.clock import NANOS_PER_SECOND

RESUME_S_MIN = 3_600.0
_BY_PATH = {resource.path: resource for resource in RESOURCES}
Row = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Channel:
    """A collection that is followed.

    `key`: columns of which each row has its own. `subject`: what it is the newest of: a newer row stands for those
    before it, so that who is slow misses none that still hold. A fact is its own: none may be left out unsaid.
    `tables`: whose commits may bring rows. `late_s`: rows that come so much later than newer ones are still noticed:
    trades of several connections, a healed gap; rows of a minute bear its start. `snapshot_s`: how far back a snapshot
    goes, where rows have moments.
    """

    name: str
    resource: Resource
    key: tuple[str, ...]
    subject: tuple[str, ...]
    tables: tuple[str, ...]
    late_s: float = 10.0
    snapshot_s: float = 60.0

    @property
    def late_ns(self) -> int:
        return round(self.late_s * NANOS_PER_SECOND)

    @property
    def reach_ns(self) -> int:
        """How far back it is read at all: to go on after a break, and for what comes into the database so late."""
        return round(max(RESUME_S_MIN, self.snapshot_s) * NANOS_PER_SECOND)

    def key_of(self, row: Mapping[str, object]) -> tuple[object, ...]:
        """What tells a row from all others of the channel."""
        return tuple(row[name] for name in self.key)

    def subject_of(self, row: Mapping[str, object]) -> tuple[object, ...]:
        """What a row is the newest of."""
        return tuple(row[name] for name in self.subject)


def _facts(name: str, path: str, key: str, *tables: str, late_s: float = 10.0, snapshot_s: float = 60.0) -> Channel:
    columns = tuple(key.split())
    return Channel(name, _BY_PATH[path], columns, columns, tables, late_s=late_s, snapshot_s=snapshot_s)


def _newest(
    name: str, path: str, key: str, subject: str, *tables: str, late_s: float = 10.0, snapshot_s: float = 60.0
) -> Channel:
    columns, of = tuple(key.split()), tuple(subject.split())
    return Channel(name, _BY_PATH[path], columns, of, tables, late_s=late_s, snapshot_s=snapshot_s)


_OF_MINUTES_S = 180.0
_HOUR_S = 3_600.0
_DAY_S = 24 * _HOUR_S
CHANNELS: Sequence[Channel] = (
    _facts("trades", "trades", "ts venue symbol trade_id", "trades"),
    _newest("quotes", "quotes", "ts venue symbol update_id", "venue symbol", "quotes"),
    _newest("bars", "bars", "ts venue symbol", "ts venue symbol", "bars_1m", "gaps", "ingest_watermarks",
            late_s=_OF_MINUTES_S, snapshot_s=2 * _HOUR_S),
    _facts("signals", "signals", "ts venue symbol strategy version revision", "signal_values",
           late_s=_OF_MINUTES_S, snapshot_s=_HOUR_S),
    _facts("decisions", "decisions", "ts cycle_id strategy symbol", "decisions", snapshot_s=_HOUR_S),
    _facts("orders", "order-events", "ts account order_id seq", "order_events", snapshot_s=_DAY_S),
    _facts("fills", "fills", "ts account venue symbol fill_id", "fills", snapshot_s=_DAY_S),
    _newest("positions", "positions", "account venue symbol strategy", "account venue symbol strategy",
            "position_events"),
    _newest("pnl", "pnl", "account venue symbol strategy", "account venue symbol strategy", "position_events",
            "quotes"),
    _newest("equity", "equity", "ts account", "account", "equity", snapshot_s=_DAY_S),
    _newest("exposure", "exposure", "account venue symbol", "account venue symbol", "position_events", "order_events",
            "quotes"),
    _facts("state", "trading-state", "ts account seq", "trading_state", snapshot_s=30 * _DAY_S),
    _facts("limits", "limit-changes", "ts account seq", "limits", snapshot_s=30 * _DAY_S),
    _facts("commands", "commands", "ts command_id seq", "commands", snapshot_s=_DAY_S),
    _newest("services", "services", "service instance", "service instance", "services"),
    _facts("jobs", "jobs", "ts run_id seq", "job_runs", snapshot_s=_DAY_S),
    _facts("logs", "logs", "ts service instance seq", "logs"),
    _facts("alerts", "alerts", "ts stream seq", "events"),
    _newest("errands", "errands", "errand_id seq", "errand_id", "errands", snapshot_s=_DAY_S),
    _facts("events", "events", "ts stream seq", "events", snapshot_s=_HOUR_S),
)  # fmt: skip
BY_NAME: Mapping[str, Channel] = {channel.name: channel for channel in CHANNELS}
