"""The comparison of one day: replays each strategy through the exact tier, and writes a row a signal."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from ares.clock import DAY_NS, Clock, floor_ns, isoformat
from ares.config import AresConfig
from ares.config.trading import TradingConfig
from ares.control import Json
from ares.errors import AresError
from ares.model.row import Row, UtcNs
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ares.telemetry import get_logger, metrics
from backtest.exact.drive import decisions_of
from backtest.exact.settings import FIGURES, ExactSettings, Latency
from backtest.inputs import Fees, Inputs, Scope
from backtest.outcome import Tested
from backtest.parity.compare import Compared, Decided, Key, compare
from backtest.parity.reading import DayReader, Opening, Whose
from trader.rows import Decision

RULES = {"var_quote_max": "VarLimit", "volume_share_max": "LiquidityLimit"}

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Day:
    """What a day came to: signals that were compared, those that are equal, and the causes of the rest."""

    compared: int
    equal: int
    causes: Mapping[str, int]
    failed: Sequence[str]
    """Strategies that could not be replayed, and why."""


async def compare_day(config: AresConfig, clock: Clock, day_ns: int) -> Day:
    """Compare everything that was decided on a day (its midnight, UTC). Raises `StoreError`.

    A strategy that cannot be replayed is named in the outcome; the others are compared.
    """
    found: list[Compared] = []
    failed: list[str] = []
    writer = RowWriter(config.database)
    try:
        async with await Database.connect(config.database) as database:
            reader = DayReader(config, database, day_ns)
            for whose in await reader.strategies():
                try:
                    compared = await compare_one(config, reader, whose, day_ns)
                except AresError as error:
                    failed.append(f"{whose.strategy}_v{whose.version}: {error}")
                    log.warning("parity_not_replayed", strategy=whose.strategy, cause=str(error))
                    continue
                await writer.write([row_of(config, whose, each, day_ns, clock.now_ns()) for each in compared])
                found += compared
            await database.wait_applied(["parity"])
    finally:
        await writer.close()
    causes = Counter(each.cause for each in found if each.cause is not None)
    for cause, count in causes.items():
        metrics.PARITY_DIFFERENCES.labels(cause).set(count)
    return Day(len(found), sum(each.equal for each in found), dict(sorted(causes.items())), failed)


async def compare_one(config: AresConfig, reader: DayReader, whose: Whose, day_ns: int) -> list[Compared]:
    """One strategy's day. Raises `StoreError`, `UsageError` or `ConfigError` for what cannot be replayed."""
    live = await reader.live(whose)
    opening = await reader.opening(whose)
    trading, not_played = playable(config.trading)
    evidence = await reader.evidence(whose, not_played)
    settings = settings_of(trading, opening, live)
    replayed = await asyncio.to_thread(replay, config, settings, whose, day_ns)
    return compare(live, replayed, evidence, config.parity.quantity_share_max)


def replay(config: AresConfig, settings: ExactSettings, whose: Whose, day_ns: int) -> list[Decided]:
    """What the trader decides when it lives through the day again. Blocking."""
    venue, to_ns = config.trading.venue, day_ns + DAY_NS
    scope = Scope(venue, whose.strategy, whose.version, whose.symbols, day_ns, to_ns)
    inputs = Inputs(config.database, scope, Fees(config.simulator.maker_fee, config.simulator.taker_fee))
    tested = Tested(
        whose.strategy, whose.version, venue, whose.symbols, day_ns, to_ns, settings.cash, data_hash="", code_hash=""
    )
    return list(_decided(decisions_of(settings, tested, inputs.instruments(), inputs.stretches())))


def settings_of(trading: TradingConfig, opening: Opening, live: Sequence[Decided]) -> ExactSettings:
    """The day's beginning, and signals read as late as they were read live, in the median."""
    delays = [each.delay_s for each in live if each.trades and each.delay_s >= 0]
    decide_s = median(delays) if delays else trading.signal_poll_s
    cash = opening.cash if opening.cash else Decimal(0)
    return ExactSettings(trading, cash, Latency(decide_s=decide_s), state=opening.state, holdings=opening.holdings)


def playable(trading: TradingConfig) -> tuple[TradingConfig, frozenset[str]]:
    """The trader's settings without what a replay cannot play, and the rules that are left out so."""
    risk = trading.risk
    left_out = [name for name in FIGURES if getattr(risk, name) is not None]
    changes: dict[str, object] = {**dict.fromkeys(left_out), "scaling": False}
    rules = frozenset(RULES[name] for name in left_out)
    return trading.model_copy(update={"risk": risk.model_copy(update=changes)}), rules


def _decided(decisions: Sequence[Decision]) -> Iterator[Decided]:
    """Decisions on signals, in the words of the comparison."""
    for each in decisions:
        if each.signal_ts_ns is not None and each.signal_known_at_ns is not None:
            rule = "" if each.refusal is None else each.refusal.rule
            yield Decided(
                each.ts_ns, Key(each.symbol, each.signal_ts_ns), each.signal_known_at_ns, each.action, each.reason,
                each.state, rule, each.target, each.mark, each.order_quantity,
            )  # fmt: skip


def row_of(config: AresConfig, whose: Whose, compared: Compared, day_ns: int, now_ns: int) -> Row:
    """A comparison as its row."""
    symbols = {
        "account": config.trading.account,
        "venue": config.trading.venue,
        "symbol": compared.key.symbol,
        "strategy": whose.strategy,
    }
    if compared.cause is not None:
        symbols["cause"] = compared.cause
    return Row(
        "parity",
        compared.key.signal_ts_ns,
        symbols,
        {
            "version": whose.version,
            "equal": compared.equal,
            "day": UtcNs(day_ns),
            "live": _told(compared.live),
            "replayed": _told(compared.replayed),
            "compared_at": UtcNs(now_ns),
        },
    )


def _told(decided: Decided | None) -> str | None:
    """A decision as JSON, for people who look into a difference."""
    if decided is None:
        return None
    said = {
        "at": isoformat(decided.ts_ns),
        "action": decided.action,
        "reason": decided.reason,
        "rule": decided.rule,
        "state": decided.state,
        "target": decided.target,
        "mark": None if decided.mark is None else str(decided.mark),
        "order_quantity": None if decided.order_quantity is None else str(decided.order_quantity),
        "delay_s": round(decided.delay_s, 3),
    }
    return json.dumps({name: value for name, value in said.items() if value not in (None, "")})


async def compare_yesterday(context: ServiceContext) -> Mapping[str, Json]:
    """Compare yesterday (UTC)."""
    day_ns = floor_ns(context.clock.now_ns(), DAY_NS) - DAY_NS
    day = await compare_day(context.config, context.clock, day_ns)
    return {
        "day": isoformat(day_ns)[:10],
        "compared": day.compared,
        "equal": day.equal,
        "causes": dict(day.causes),
        "failed": list(day.failed),
    }
