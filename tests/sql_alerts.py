"""For every SQL alert rows that must not fire it and rows that must: written to a real QuestDB by the test of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ares.clock import NANOS_PER_SECOND
from ares.model.row import Cell, Row, UtcNs

MINUTE, HOUR = 60, 3_600


@dataclass(frozen=True, slots=True)
class Cases:
    """Rows by how many seconds old they are. `label` is what the answer names a firing one by; {}: it names none."""

    quiet: Sequence[tuple[float, Row]]
    firing: Sequence[tuple[float, Row]]
    label: Mapping[str, str]
    fires_first: bool = False
    """Its firing rows are written before the quiet ones, which end it; else the other way round."""


def moved(aged: Sequence[tuple[float, Row]], now_ns: int) -> list[Row]:
    """The rows at their times."""
    return [Row(row.table, _ago(age_s, now_ns), row.symbols, _dated(row.columns, now_ns)) for age_s, row in aged]


def _ago(age_s: float, now_ns: int) -> int:
    return now_ns - round(age_s * NANOS_PER_SECOND)


def _dated(columns: Mapping[str, Cell], now_ns: int) -> dict[str, Cell]:
    """Times are written as ages, too."""
    return {name: UtcNs(_ago(value, now_ns)) if isinstance(value, UtcNs) else value for name, value in columns.items()}


def equity_row(account: str, worth: int, day: int = 0, gross: int = 0) -> Row:
    columns: dict[str, Cell] = {
        "equity_quote": Decimal(worth),
        "capital_quote": Decimal(10_000),
        "day_pnl_quote": Decimal(day),
        "gross_exposure_quote": Decimal(gross),
    }
    return Row("equity", 0, {"account": account, "quote_currency": "USDT"}, columns)


def _limited(account: str, name: str, value: str) -> Row:
    """The settings of an account with one limit of their own."""
    settings = {"trading": {"account": account, "risk": {name: value}}}
    symbols = {"status": "changed", "cause": "start", "instance": account}
    return Row("config_versions", 0, symbols, {"version": 1, "settings": json.dumps(settings)})


def _signal(strategy: str, known_s: float) -> Row:
    symbols = {"venue": "sim", "symbol": "BTC/USDT", "strategy": strategy, "known_at_kind": "live"}
    return Row(
        "signal_values", 0, symbols, {"version": 1, "revision": 0, "target": 0.5, "known_at": UtcNs(int(known_s))}
    )


def _watermark(venue: str, at_s: float, channel: str = "trades") -> Row:
    symbols = {"venue": venue, "symbol": "BTC/USDT", "channel": channel}
    return Row("ingest_watermarks", 0, symbols, {"watermark": UtcNs(int(at_s)), "acked_rows": 1})


def _decision(account: str, cycle: int, action: str) -> Row:
    symbols = {"account": account, "venue": "sim", "symbol": "BTC/USDT", "strategy": "s", "action": action}
    return Row("decisions", 0, symbols, {"cycle_id": f"{account}-{cycle}"})


def _fill(account: str) -> Row:
    symbols = {"account": account, "venue": "sim", "symbol": "BTC/USDT", "strategy": "s", "side": "buy"}
    return Row("fills", 0, symbols, {"fill_id": "1", "quantity": Decimal(1), "price": Decimal(1)})


def _drift(model: str, grade: str, feature: str, role: str = "champion") -> Row:
    kind = {"venue": "sim", "version": "1", "metric": "psi"}
    return Row(
        "drift",
        0,
        {**kind, "model": model, "role": role, "feature": feature, "grade": grade},
        {"run_id": "r", "value": 2.0},
    )


def gap_row(gap_id: str, revision: int, status: str, started_s: float) -> Row:
    symbols = {"venue": "sim", "symbol": "BTC/USDT", "channel": "trades", "status": status, "cause": "disconnect"}
    return Row("gaps", 0, symbols, {"gap_id": gap_id, "revision": revision, "started_at": UtcNs(int(started_s))})


def _state(account: str, seq: int, state: str, actor: str) -> Row:
    return Row("trading_state", 0, {"account": account, "state": state, "actor": actor}, {"seq": seq, "reason": "r"})


def _drill(drill_id: str, status: str) -> Row:
    return Row("restore_drills", 0, {"status": status}, {"drill_id": drill_id})


CASES: Mapping[str, Cases] = {
    "Drawdown": Cases(
        quiet=[
            (2 * HOUR, equity_row("calm", 10_400)),
            (60, equity_row("calm", 10_100)),
            (3 * HOUR, _limited("daring", "drawdown_max", "0.2")),
            (2 * HOUR, equity_row("daring", 11_000)),
            (60, equity_row("daring", 9_900)),
        ],
        firing=[(2 * HOUR, equity_row("fell", 10_400)), (60, equity_row("fell", 9_800))],
        label={"account": "fell"},
    ),
    "DailyLoss": Cases(
        quiet=[
            (60, equity_row("won", 10_000, day=500)),
            (60, equity_row("lost_little", 10_000, day=-150)),
            (4 * HOUR, _limited("lost_what_it_may", "daily_loss_quote_max", "1000")),
            (60, equity_row("lost_what_it_may", 10_000, day=-900)),
        ],
        firing=[
            (3 * HOUR, _limited("lost", "daily_loss_quote_max", "240")),
            (90, equity_row("lost", 10_000, day=-100)),
            (60, equity_row("lost", 10_000, day=-250)),
        ],
        label={"account": "lost"},
    ),
    "ExposureHigh": Cases(
        quiet=[(60, equity_row("careful", 10_000, gross=9_000))],
        firing=[(60, equity_row("bold", 10_000, gross=12_000))],
        label={"account": "bold"},
    ),
    "StrategyStale": Cases(
        quiet=[(90, _signal("talks", 30))],
        firing=[(900, _signal("sleeps", 840)), (20 * HOUR, _signal("gone", 20 * HOUR))],
        label={"strategy": "gone", "symbol": "BTC/USDT"},
    ),
    "FeedSilent": Cases(
        quiet=[(1, _watermark("lively", 3)), (1, _watermark("lively", 600, "backfill"))],
        firing=[(1, _watermark("stuck", 300)), (20 * HOUR, _watermark("vanished", 20 * HOUR))],
        label={"venue": "vanished", "symbol": "BTC/USDT", "channel": "trades"},
    ),
    "NoFills": Cases(
        quiet=[
            *((60 * each, _decision("fills", each, "buy")) for each in range(1, 9)),
            (100, _fill("fills")),
            *((60 * each, _decision("waits", each, "hold")) for each in range(1, 9)),
        ],
        firing=[
            *((60 * each, _decision("starves", each, "buy")) for each in range(1, 9)),
            (3 * HOUR, _fill("starves")),
        ],
        label={"account": "starves"},
    ),
    "ModelDriftSeen": Cases(
        quiet=[
            (20 * MINUTE, _drift("steady", "fail", "rsi")),
            (5 * MINUTE, _drift("steady", "ok", "rsi")),
            (5 * MINUTE, _drift("tried", "fail", "rsi", role="challenger")),
        ],
        firing=[(5 * MINUTE, _drift("lost", "fail", "rsi")), (5 * MINUTE, _drift("lost", "ok", "atr"))],
        label={"model": "lost"},
    ),
    "GapsUnresolved": Cases(
        quiet=[
            (60, gap_row("young", 0, "open", 120)),
            (2 * HOUR, gap_row("healed", 0, "open", 2 * HOUR)),
            (HOUR, gap_row("healed", 1, "healed", 2 * HOUR)),
        ],
        firing=[(HOUR, gap_row("old", 0, "open", HOUR))],
        label={},
    ),
    "ReconcileDiverges": Cases(
        quiet=[
            (HOUR, _state("agrees", 1, "REDUCING", "reconcile")),
            (MINUTE, _state("agrees", 2, "ACTIVE", "reconcile")),
            (HOUR, _state("stopped", 1, "REDUCING", "alert")),
        ],
        firing=[(10 * MINUTE, _state("differs", 1, "REDUCING", "reconcile"))],
        label={"account": "differs"},
    ),
    "BackupNotProved": Cases(
        quiet=[(2 * HOUR, _drill("proved", "ok"))],
        firing=[(40 * HOUR, _drill("old", "ok")), (HOUR, _drill("broken", "failed"))],
        label={},
        fires_first=True,
    ),
}
UNANSWERED = frozenset(CASES) - {"GapsUnresolved"}
"""Rules that have no answer where nothing was ever written: Grafana then says NoData, which alerts."""
