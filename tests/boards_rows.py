"""Rows for the boards to find: an installation at work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from ares.clock import NANOS_PER_SECOND, to_ns
from ares.model.row import Cell, Row, UtcNs
from tests.boards import CHOSEN

SECOND_NS = NANOS_PER_SECOND
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS


def seeds(now: datetime) -> Iterator[Row]:
    """Two hours of an installation at work, and thirty days of its hours, so that no panel is empty."""
    now_ns = to_ns(now)
    for rows in (_market, _quality, _trading, _orders, _risk, _models, _kernel, _traces, _copies):
        yield from rows(now_ns)


def steps(now_ns: int, count: int, every_ns: int = MINUTE_NS) -> Iterator[tuple[int, int]]:
    """The moments of a history that ends now, oldest first, each with its number."""
    for number in range(count):
        yield number, now_ns - (count - number) * every_ns


MARKET = {"venue": "sim", "symbol": "BTC/USDT"}
ON_ACCOUNT = {"account": "paper", **MARKET, "strategy": "momentum"}


def _market(now_ns: int) -> Iterator[Row]:
    for venue, symbol in (("sim", "BTC/USDT"), ("sim", "ETH/USDT"), ("perp", "BTC/USDT")):
        which = {"venue": venue, "symbol": symbol}
        columns: dict[str, Cell] = {"amount_step": Decimal("0.0001"), "active": True, "venue_symbol": "x"}
        yield Row("instruments", now_ns - HOUR_NS, {**which, "base": symbol[:3], "quote": "USDT"}, columns)
        moments = [*steps(now_ns - 3 * HOUR_NS, 60, HOUR_NS), *steps(now_ns - MINUTE_NS, 120)]
        for number, (_, ts_ns) in enumerate(moments):
            received = UtcNs(ts_ns + 20_000_000)
            price = 50_000.0 + 100.0 * ((number * 7) % 13 - 6)
            traded: dict[str, Cell] = {"trade_id": str(number), "seq": number, "price": price, "amount": 0.1}
            yield Row(
                "trades", ts_ns, {**which, "side": "buy", "source": "stream"}, {**traded, "received_at": received}
            )
        for number, ts_ns in steps(now_ns, 60):
            quoted: dict[str, Cell] = {"update_id": number, "bid": 49_999.0, "bid_amount": 1.0, "ask": 50_001.0}
            yield Row(
                "quotes",
                ts_ns,
                {**which, "ts_source": "venue"},
                {**quoted, "ask_amount": 1.0, "received_at": UtcNs(ts_ns)},
            )
            marks: dict[str, Cell] = {"watermark": UtcNs(ts_ns - SECOND_NS), "last_seq": number, "acked_rows": number}
            yield Row("ingest_watermarks", ts_ns, {**which, "channel": "trades"}, marks)
    for number, ts_ns in steps(now_ns, 3, 30 * MINUTE_NS):
        paid: dict[str, Cell] = {"rate": 0.0001 * number, "funding_at": UtcNs(ts_ns), "received_at": UtcNs(ts_ns)}
        yield Row("funding", ts_ns, {"venue": "perp", "symbol": "BTC/USDT", "kind": "settled"}, paid)


def _quality(now_ns: int) -> Iterator[Row]:
    for number, (status, cause) in enumerate([("open", "disconnect"), ("healed", "sequence"), ("lost", "disconnect")]):
        ts_ns = now_ns - (10 + 20 * number) * MINUTE_NS
        columns: dict[str, Cell] = {
            "gap_id": f"gap-{number}",
            "revision": 0,
            "started_at": UtcNs(ts_ns - MINUTE_NS),
            "missing": 7,
            **({} if status == "open" else {"ended_at": UtcNs(ts_ns)}),
        }
        yield Row("gaps", ts_ns, {**MARKET, "channel": "trades", "status": status, "cause": cause}, columns)
    for number, grade in enumerate(["ok", "warn", "fail"]):
        ts_ns = now_ns - 5 * MINUTE_NS
        symbols = {**MARKET, "check_name": f"check_{number}", "channel": "trades", "grade": grade, "unit": "rows"}
        yield Row("quality_checks", ts_ns, symbols, {"observed": 1.0 * number, "warn_limit": 1.0, "fail_limit": 2.0})
    refused = {"reason": "price is negative", "digest": "d", "raw": "{}"}
    yield Row("quarantine", now_ns - MINUTE_NS, {**MARKET, "channel": "trades", "field": "price"}, refused)


def _trading(now_ns: int) -> Iterator[Row]:
    for number, ts_ns in steps(now_ns, 120):
        profit = Decimal(200 - abs(number - 60) * 5)
        worth: dict[str, Cell] = {
            "cash": Decimal(10_000),
            "positions_quote": Decimal(10_000),
            "capital_quote": Decimal(20_000),
            "equity_quote": 20_000 + profit,
            "gross_exposure_quote": Decimal(10_000),
            "realised_quote": profit,
            "unrealised_quote": Decimal(5),
            "day_pnl_quote": profit - 100,
            "funding_quote": Decimal(1),
        }
        yield Row("equity", ts_ns, {"account": "paper", "quote_currency": "USDT"}, worth)
        rule = ["GrossExposureLimit", "SpreadLimit"][number % 2]
        decided: dict[str, Cell] = {
            "cycle_id": f"cycle-{number}",
            "version": 1,
            "target": 0.5,
            "confidence": 0.5,
            "mark": Decimal(50_000),
            "client_order_id": f"order-{number}",
            "reason": "to_target",
        }
        if number % 3 == 0:
            refusal = {"action": "refuse", "rule": rule, "unit": "quote", "state": "ACTIVE"}
            figures: dict[str, Cell] = {"observed": Decimal(21_000), "limit_value": Decimal(20_000)}
            yield Row("decisions", ts_ns, {**ON_ACCOUNT, **refusal}, {**decided, **figures})
        else:
            yield Row("decisions", ts_ns, {**ON_ACCOUNT, "action": "buy", "state": "ACTIVE"}, decided)
        if number % 10 == 0:
            wish: dict[str, Cell] = {
                "version": 1,
                "revision": 0,
                "target": 0.5,
                "confidence": 0.4,
                "known_at": UtcNs(ts_ns + MINUTE_NS),
                "watermark": UtcNs(ts_ns + MINUTE_NS),
                "input_hash": "h",
            }
            symbols = {**MARKET, "strategy": "momentum", "known_at_kind": "live", "model_version": "v1"}
            yield Row("signal_values", ts_ns, symbols, wish)


def _orders(now_ns: int) -> Iterator[Row]:
    for number, ts_ns in steps(now_ns, 12, 10 * MINUTE_NS):
        order: dict[str, Cell] = {
            "order_id": f"order-{number * 10}",
            "quantity": Decimal("0.1"),
            "price": Decimal(50_010),
            "cycle_id": f"cycle-{number}",
            "trace_id": CHOSEN["trace"][0],
            "reason": "to_target",
        }
        kind = {**ON_ACCOUNT, "side": ["buy", "sell"][number % 2], "type": "limit", "time_in_force": "IOC"}
        last = [("filled", "FILLED"), ("rejected", "REJECTED"), ("accepted", "ACCEPTED")][number % 3]
        path = [("intended", "INTENDED"), ("submitted", "SUBMITTED"), last]
        for seq, (event, state) in enumerate(path):
            at_ns = ts_ns + seq * 40_000_000
            more: dict[str, Cell] = {"seq": seq, "filled_quantity": Decimal(0), "filled_cost": Decimal(0)}
            yield Row("order_events", at_ns, {**kind, "event": event, "state": state}, {**order, **more})
        if last[0] == "filled":
            fill: dict[str, Cell] = {
                "fill_id": f"fill-{number}",
                "order_id": order["order_id"],
                "quantity": Decimal("0.1"),
                "price": Decimal(50_010),
                "cost": Decimal(5_001),
                "fee": Decimal(5),
                "fee_quote": Decimal(5),
                "trace_id": order["trace_id"],
                "received_at": UtcNs(ts_ns),
            }
            yield Row("fills", ts_ns + 80_000_000, {**ON_ACCOUNT, "side": kind["side"], "liquidity": "taker"}, fill)
            position: dict[str, Cell] = {
                "fill_id": f"fill-{number}",
                "seq": number,
                "quantity": Decimal("0.1"),
                "cost_fifo": Decimal(5_001),
                "average_price": Decimal(50_010),
                "cost_basis": Decimal(5_001),
                "realised_quote": Decimal(12),
                "fees_quote": Decimal(5),
                "realised_fifo_quote": Decimal(12),
                "funding_quote": Decimal(0),
            }
            yield Row("position_events", ts_ns + 80_000_000, {**ON_ACCOUNT, "cause": "fill"}, position)
    plan: dict[str, Cell] = {
        "plan_id": "order-10",
        "quantity": Decimal(1),
        "mark": Decimal(50_000),
        "orders": 6,
        "reason": "done",
        "filled_quantity": Decimal(1),
        "filled_cost": Decimal(50_010),
        "shortfall_bips": Decimal("2.0"),
    }
    symbols = {**ON_ACCOUNT, "event": "ended", "policy": "twap", "side": "buy"}
    yield Row("execution_plans", now_ns - 7 * MINUTE_NS, symbols, plan)


def _risk(now_ns: int) -> Iterator[Row]:
    for number, (minutes, state) in enumerate([(300, "HALTED"), (90, "ACTIVE"), (40, "REDUCING"), (20, "ACTIVE")]):
        said = {"account": "paper", "state": state, "actor": "ada"}
        yield Row("trading_state", now_ns - minutes * MINUTE_NS, said, {"seq": number, "reason": "a reason"})
    for seq, (name, status, value) in enumerate([("drawdown_max", "set", "0.1"), ("leverage_max", "asked", "3")]):
        limit = {"account": "paper", "name": name, "status": status, "unit": "share", "actor": "ada"}
        figures: dict[str, Cell] = {"seq": seq, "change_id": f"c{seq}", "value": Decimal(value), "reason": "thin books"}
        yield Row("limits", now_ns - 30 * MINUTE_NS, limit, figures)
    for event in ("placed", "unprotected"):
        protected: dict[str, Cell] = {"quantity": Decimal(1), "unprotected_s": 3.5, "order_id": "o", "reason": "late"}
        yield Row("protection_events", now_ns - 9 * MINUTE_NS, {**ON_ACCOUNT, "event": event}, protected)
    order = {"account": "paper", "actor": "ada", "command": "halt", "status": "done"}
    yield Row("commands", now_ns - 8 * MINUTE_NS, order, {"command_id": "c", "seq": 1, "outcome": "halted"})
    risk = {"gross_exposure_quote_max": "20000", "net_exposure_quote_max": "20000", "position_quote_max": "10000"}
    risk |= {"daily_loss_quote_max": "500", "drawdown_max": "0.2", "leverage_max": "1.1", "concentration_max": "0.5"}
    settings = json.dumps({"trading": {"account": "paper", "risk": {**risk, "var_quote_max": "900"}}})
    changed: dict[str, Cell] = {"version": 1, "changes": "[]", "why": "first", "settings": settings}
    symbols = {"status": "changed", "cause": "start", "instance": "one"}
    yield Row("config_versions", now_ns - 50 * MINUTE_NS, symbols, changed)


def _models(now_ns: int) -> Iterator[Row]:
    for seq, (event, version) in enumerate([("champion", "v1"), ("challenger", "v2")]):
        staged = {"model": "direction", "version": version, "event": event, "who": "ada"}
        yield Row("model_events", now_ns - (45 - seq) * MINUTE_NS, staged, {"seq": seq, "reason": "better"})
    first_ns = now_ns // MINUTE_NS * MINUTE_NS
    for number, ts_ns in steps(first_ns, 100):
        for role, version in (("champion", "v1"), ("challenger", "v2")):
            by = {**MARKET, "model": "direction", "version": version, "known_at_kind": "live", "role": role}
            columns: dict[str, Cell] = {"score": (number * 7 % 100) / 100, "served": role == "champion"}
            yield Row("predictions", ts_ns, by, {**columns, "known_at": UtcNs(ts_ns + MINUTE_NS)})
    of = {"venue": "sim", "model": "direction"}
    for ts_ns in (now_ns - 40 * MINUTE_NS, now_ns - 10 * MINUTE_NS):
        for role, version in (("champion", "v1"), ("challenger", "v2")):
            for metric, feature, grade in (
                ("psi", "rsi_14", "fail"),
                ("log_loss", "", "ok"),
                ("calibration", "", "ok"),
            ):
                symbols = {**of, "version": version, "role": role, "metric": metric, "feature": feature, "grade": grade}
                seen: dict[str, Cell] = {"run_id": "r", "value": 0.3, "warn": 0.1, "fail": 0.25, "rows": 900}
                yield Row("drift", ts_ns, symbols, seen)
    run = {"model": "direction", "version": "v1", "status": "ok", "family": "logistic"}
    fitted: dict[str, Cell] = {"run_id": "r", "rows": 1_000, "auc": 0.54, "log_loss": 0.69, "ece": 0.02}
    yield Row("training_runs", now_ns - 60 * MINUTE_NS, run, fitted)
    differed: dict[str, Cell] = {"version": 1, "equal": False, "day": UtcNs(now_ns), "live": "{}", "replayed": "{}"}
    yield Row("parity", now_ns - 30 * MINUTE_NS, {**ON_ACCOUNT, "cause": "latency"}, differed)


def _kernel(now_ns: int) -> Iterator[Row]:
    for name, ends_ns in (("trader", now_ns), ("ingest", now_ns), ("mirror", now_ns - 10 * MINUTE_NS)):
        symbols = {"service": name, "instance": f"{name}-1", "state": "running", "version": "0.1.0", "host": "h"}
        for number, ts_ns in steps(ends_ns, 60):
            usage: dict[str, Cell] = {
                "resident_mb": 100.0 + number,
                "cpu_s": 1.5 * number,
                "open_files": 9,
                "threads": 4,
            }
            yield Row("services", ts_ns + 55 * SECOND_NS, symbols, {**usage, "pid": 1, "port": 2})
    for number, status in enumerate(["ok", "crashed"]):
        job = {"job": f"job-{number}", "status": status, "cause": "schedule"}
        ended: dict[str, Cell] = {"run_id": f"r{number}", "seq": 1, "duration_s": 3.0, "outcome": "{}"}
        yield Row("job_runs", now_ns - 12 * MINUTE_NS, job, ended)
    letter: dict[str, Cell] = {"position": 1, "error": "no such column", "content": "{}"}
    yield Row("dead_letters", now_ns - 11 * MINUTE_NS, {"subscription": "mirror"}, letter)
    window: dict[str, Cell] = {"seq": 1, "why": "upgrade", "until": UtcNs(now_ns)}
    yield Row("maintenance", now_ns - 15 * MINUTE_NS, {"state": "open", "who": "ada"}, window)


def _traces(now_ns: int) -> Iterator[Row]:
    names = ("ingest.batch", "bar.freeze", "decision", "order.submit", "fill.book")
    for number, name in enumerate(names):
        for trace, ts_ns in steps(now_ns, 20):
            which = CHOSEN["trace"][0] if trace == 0 else f"{trace:032x}"
            span: dict[str, Cell] = {"trace_id": which, "span_id": f"{number:08x}{trace:08x}", "attributes": "{}"}
            symbols = {"name": name, "service": "trader", "status": "ok"}
            yield Row("spans", ts_ns + number, symbols, {**span, "duration_us": 1_000 * (trace + 1)})


def _copies(now_ns: int) -> Iterator[Row]:
    for number, (kind, status) in enumerate(
        [("market", "ok"), ("journal", "ok"), ("check", "ok"), ("market", "failed")]
    ):
        made: dict[str, Cell] = {
            "backup_id": f"b{number}",
            "covers_to": UtcNs(now_ns - 30 * SECOND_NS),
            "duration_s": 4.0,
            "files": 10,
            "checkpoint_s": 0.5,
            "bytes_total": 1_000_000,
            "bytes_added": 10_000,
        }
        yield Row("backups", now_ns - (10 + number) * MINUTE_NS, {"kind": kind, "status": status}, made)
    drill: dict[str, Cell] = {
        "drill_id": "d",
        "backup_id": "b0",
        "rpo_market_s": 60.0,
        "rpo_journal_s": 5.0,
        "rto_s": 40.0,
        "tables": 50,
        "bytes_restored": 1_000_000,
        "partitions": 70,
        "rows": 1_000,
        "differences": 0,
    }
    yield Row("restore_drills", now_ns - 60 * MINUTE_NS, {"status": "ok"}, drill)
    day: dict[str, Cell] = {"revision": 1, "rows": 1_000, "delta_bytes": 40_000, "recorded_at": UtcNs(now_ns)}
    yield Row("cold_partitions", now_ns - 48 * HOUR_NS, {**MARKET, "table_name": "trades", "state": "proved"}, day)
