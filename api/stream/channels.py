"""Channels: which collection each follows, what a row of it is the newest of, and which tables move it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.cells import Cell
from api.resource import Resource
from api.resources import RESOURCES

_BY_PATH = {resource.path: resource for resource in RESOURCES}
Row = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Channel:
    """A collection that is followed.

    `key`: columns of which each row has its own. `conflates`: a newer row of the same `subject` stands for those before
    it, so that who is slow misses none that still hold; else rows are facts, of which none may be left out unsaid.
    `tables`: whose commits may bring rows.
    """

    name: str
    resource: Resource
    key: tuple[str, ...]
    subject: tuple[str, ...]
    tables: tuple[str, ...]
    conflates: bool = False

    def key_of(self, row: Mapping[str, object]) -> tuple[object, ...]:
        """What tells a row from all others of the channel."""
        return tuple(row[name] for name in self.key)

    def subject_of(self, row: Mapping[str, object]) -> tuple[object, ...]:
        """What a row is the newest of."""
        return tuple(row[name] for name in self.subject)


def _facts(name: str, path: str, key: str, *tables: str) -> Channel:
    columns = tuple(key.split())
    return Channel(name, _BY_PATH[path], columns, columns, tables)


def _newest(name: str, path: str, key: str, subject: str, *tables: str) -> Channel:
    return Channel(name, _BY_PATH[path], tuple(key.split()), tuple(subject.split()), tables, conflates=True)


CHANNELS: Sequence[Channel] = (
    _facts("trades", "trades", "ts venue symbol trade_id", "trades"),
    _newest("quotes", "quotes", "ts venue symbol update_id", "venue symbol", "quotes"),
    _newest("bars", "bars", "ts venue symbol", "ts venue symbol", "bars_1m", "gaps", "ingest_watermarks"),
    _facts("signals", "signals", "ts venue symbol strategy version revision", "signal_values"),
    _facts("decisions", "decisions", "ts cycle_id strategy symbol", "decisions"),
    _facts("orders", "order-events", "ts account order_id seq", "order_events"),
    _facts("fills", "fills", "ts account venue symbol fill_id", "fills"),
    _newest("positions", "positions", "account venue symbol strategy", "account venue symbol strategy",
            "position_events"),
    _newest("pnl", "pnl", "account venue symbol strategy", "account venue symbol strategy", "position_events",
            "quotes"),
    _newest("equity", "equity", "ts account", "account", "equity"),
    _newest("exposure", "exposure", "account venue symbol", "account venue symbol", "position_events", "order_events",
            "quotes"),
    _facts("state", "trading-state", "ts account seq", "trading_state"),
    _facts("limits", "limit-changes", "ts account seq", "limits"),
    _facts("commands", "commands", "ts command_id seq", "commands"),
    _newest("services", "services", "service instance", "service instance", "services"),
    _facts("jobs", "jobs", "ts run_id seq", "job_runs"),
    _facts("logs", "logs", "ts service instance seq", "logs"),
    _facts("alerts", "alerts", "ts stream seq", "events"),
    _newest("errands", "errands", "errand_id seq", "errand_id", "errands"),
    _facts("events", "events", "ts stream seq", "events"),
)  # fmt: skip
BY_NAME: Mapping[str, Channel] = {channel.name: channel for channel in CHANNELS}
