"""Goal: a larger order never passes where a smaller one is refused, and no order of tasks lets a limit be breached."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import structlog
from hypothesis import given
from hypothesis import strategies as st

from ares.control import ControlStore
from ares.model.market import Side
from ares.model.row import Row
from ares.resilience import Cache
from ares.testing.clock import SteppedClock
from trader.events import INTENDED
from trader.execution.desk import DeskParts, OrderDesk
from trader.execution.journal import OrderJournal
from trader.execution.lease import Leadership
from trader.execution.ledger import Ledger
from trader.execution.rests import Rests
from trader.execution.state import TradingStates
from trader.execution.tracked import SENT_S
from trader.portfolio.orders import Intent, Order, OrderReport, OrderState, Step, advance, intended
from trader.portfolio.positions import Execution, Fill
from trader.risk import LIMITS as LIMIT_NAMES
from trader.risk import Candidate, Limits, Refused, RiskState, TradingState, build_rules
from trader.rows import Identity
from trader.testing import PaperVenue

D = Decimal
SYMBOLS, STRATEGIES = ("BTC/USDT", "ETH/USDT"), ("a", "b", "c")
INTERLEAVINGS = int(os.environ.get("ARES_TEST_INTERLEAVINGS", "300"))
FIRST_SEED = int(os.environ.get("ARES_TEST_FIRST_SEED", "0"))
MARK = D(100)
LIMITS = Limits(
    order_notional_quote_max=D(3_000),
    position_quote_max=D(5_000),
    gross_exposure_quote_max=D(8_000),
    daily_loss_quote_max=D(500),
    price_collar=D("0.05"),
    signal_age_s_max=D(180),
    quote_age_s_max=D(10),
    mark_age_s_max=D(60),
    net_exposure_quote_max=D(7_500),
    strategy_exposure_quote_max=D(4_000),
    leverage_max=D("0.7"),
    concentration_max=D("0.4"),
    drawdown_max=D("0.2"),
    var_quote_max=D(250),
    volume_share_max=D("0.1"),
    spread_max=D("0.01"),
    orders_per_minute_max=D(9),
    duplicate_s=D(3),
)
STATE = RiskState(
    trading_state=TradingState.ACTIVE,
    signal_age_s=D(1),
    quote_age_s=D(1),
    mark=MARK,
    reference=MARK,
    cash_free_quote=D(20_000),
    day_pnl_quote=D(0),
    marks=dict.fromkeys(SYMBOLS, MARK),
    equity_quote=D(11_000),
    drawdown_quote=D(0),
    spread=D("0.001"),
    volume_quote=D(50_000),
    loss_shares={SYMBOLS[0]: D("0.03"), SYMBOLS[1]: D("0.05")},
)
RULES = build_rules(LIMITS)
amounts = st.decimals(D("0.01"), D(60), allow_nan=False, allow_infinity=False, places=2)


@given(
    st.dictionaries(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(STRATEGIES)), amounts, max_size=4),
    st.sampled_from([("buy", symbol) for symbol in SYMBOLS] + [("sell", symbol) for symbol in SYMBOLS]),
    st.tuples(amounts, amounts),
    st.sampled_from(sorted(name for name, named in LIMIT_NAMES.items() if not named.least)),
    st.decimals(D("0.01"), D(3), allow_nan=False, allow_infinity=False, places=2),
)
def test_a_larger_order_never_passes_where_a_smaller_one_is_refused(
    positions: dict[tuple[str, str], Decimal],
    way: tuple[Side, str],
    quantities: tuple[Decimal, Decimal],
    name: str,
    factor: Decimal,
) -> None:
    value = LIMITS.get(name)
    assert value is not None, "all of them are limited here"
    rules = build_rules(LIMITS.with_values({name: value * factor}))
    state = replace(STATE, positions=positions)
    small, large = sorted(quantities)
    order = Candidate("a", way[1], way[0], small, MARK)
    if isinstance(rules.check(order, state), Refused):
        assert isinstance(rules.check(replace(order, quantity=large), state), Refused)


class SlowJournal(OrderJournal):
    """A journal whose commits take as many turns of the loop as chance says: other tasks run meanwhile."""

    def __init__(self, control: ControlStore, rng: random.Random) -> None:
        super().__init__(control, "paper")
        self._rng = rng

    async def intend(self, intent: Intent, mirror: Sequence[Row] = (), fencing: int = 0) -> Order | None:
        await self._turns()
        return intended(intent)[0]

    async def record(self, order: Order, steps: Sequence[Step]) -> Order:
        await self._turns()
        for step in steps:
            order = advance(order, replace(step, ts_ns=max(step.ts_ns, order.changed_at_ns + 1)))
        return order

    async def settle(self, order: Order, now_ns: int) -> None:
        await self._turns()

    async def _turns(self) -> None:
        for _ in range(self._rng.randrange(4)):
            await asyncio.sleep(0)


class SlowLedger(Ledger):
    """A book that takes its fills in memory."""

    async def book(self, fills: Sequence[Fill]) -> int:
        await asyncio.sleep(0)
        return sum(self.portfolio.apply(fill) is not None for fill in fills)


@dataclass(slots=True)
class Truth:
    """What was let through, kept beside the desk: every admitted buy as filled, until it ended with less."""

    admitted: dict[str, Candidate] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def breaches(self) -> list[str]:
        """Limits that the worst case of all that was admitted lies beyond."""
        gross = self._worth(SYMBOLS, STRATEGIES)
        found = {
            "gross": gross > LIMITS.gross_exposure_quote_max,
            "net": gross > 7_500,
            "leverage": gross > D("0.7") * 11_000,
            "rate": len(self.admitted) > 9,
            "var": sum(self._worth([s], STRATEGIES) * share for s, share in STATE.loss_shares.items()) > 250,
        }
        for symbol in SYMBOLS:
            held = self._worth([symbol], STRATEGIES)
            found[f"position {symbol}"] = held > LIMITS.position_quote_max
            found[f"concentration {symbol}"] = held > D("0.4") * 11_000
        for strategy in STRATEGIES:
            found[f"strategy {strategy}"] = self._worth(SYMBOLS, [strategy]) > 4_000
        return [name for name, breached in found.items() if breached]

    def _worth(self, symbols: Sequence[str], strategies: Sequence[str]) -> Decimal:
        mine = (o for o in self.admitted.values() if o.symbol in symbols and o.strategy in strategies)
        return sum((order.quantity * MARK for order in mine), D(0))


@dataclass(slots=True)
class Bench:
    """A desk, what is true, and chance."""

    desk: OrderDesk
    ledger: SlowLedger
    truth: Truth
    rng: random.Random
    clock: SteppedClock
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def trade(self, strategy: str, symbol: str) -> None:
        """Look, check, intend, and have the order end somehow: three times, with turns of others in between."""
        for _ in range(3):
            await self._turns()
            order = Candidate(strategy, symbol, "buy", D(self.rng.randrange(5, 31)), MARK)
            state = replace(
                STATE,
                positions={(p.symbol, p.strategy): p.quantity for p in self.ledger.portfolio.positions()},
                pending=self.desk.pending(),
                sent=self.desk.sent(self.clock.now_ns(), SENT_S),
            )
            verdict = RULES.check(order, state)
            if isinstance(verdict, Refused):
                self.truth.refused[verdict.rule] += 1
                continue
            intent = self._intent(order)
            if await self.desk.intend(intent):
                self.truth.admitted[intent.order_id] = order
                assert self.truth.breaches() == []
                await self._end(intent)

    async def _end(self, intent: Intent) -> None:
        """Filled, partly filled and over, or in doubt for ever."""
        tracked = self.desk._tracked[intent.order_id]
        await self.desk._record(tracked, [Step("submitted", OrderState.SUBMITTED, 1)])
        await self._turns()
        fate = self.rng.choice(("filled", "expired", "doubt"))
        if fate == "doubt":
            await self.desk._doubt(tracked, "no answer")
            return
        filled = intent.quantity if fate == "filled" else D(self.rng.randrange(int(intent.quantity)))
        admitted = self.truth.admitted[intent.order_id]
        self.truth.admitted[intent.order_id] = replace(admitted, quantity=filled)
        state = OrderState.FILLED if fate == "filled" else OrderState.EXPIRED
        executions = (self._execution(intent, filled),) if filled else ()
        venue_id = intent.order_id
        report = OrderReport(
            intent.order_id,
            venue_id,
            intent.symbol,
            "buy",
            state,
            intent.quantity,
            filled,
            filled * MARK,
            1,
            executions,
        )
        await self.desk._take(tracked, report)
        await self._turns()
        await self.desk._settle(tracked)

    def _execution(self, intent: Intent, quantity: Decimal) -> Execution:
        number, base = str(next(self.numbers)), intent.symbol.partition("/")[0]
        cost = quantity * MARK
        return Execution(number, intent.symbol, "buy", intent.order_id, quantity, MARK, cost, D(0), base, False, 1)

    def _intent(self, order: Candidate) -> Intent:
        return replace(
            INTENDED.example.intent,
            order_id=f"ares{next(self.numbers)}",
            strategy=order.strategy,
            symbol=order.symbol,
            quantity=order.quantity,
            price=order.price,
            mark=MARK,
            decided_at_ns=self.clock.now_ns(),
        )

    async def _turns(self) -> None:
        for _ in range(self.rng.randrange(4)):
            await asyncio.sleep(0)


def build_bench(control: ControlStore, clock: SteppedClock, seed: int) -> Bench:
    rng = random.Random(seed)
    ledger = SlowLedger(control, Identity("paper", "sim"))
    venue = PaperVenue(clock, {}, {})
    parts = DeskParts(
        gateway=venue,
        journal=SlowJournal(control, rng),
        ledger=ledger,
        states=TradingStates(control, "paper", clock),
        rests=Rests(control, "paper"),
        leadership=Leadership(control, "paper", "one", clock, 15.0),
        clock=clock,
        marks=Cache("marks", clock, venue.marks),
        visibility_s=5.0,
    )
    return Bench(OrderDesk(parts), ledger, Truth(), rng, clock)


async def test_no_order_of_concurrent_checks_lets_a_limit_be_breached(control: ControlStore) -> None:
    """ARES_TEST_INTERLEAVINGS=100000 tries that many, from ARES_TEST_FIRST_SEED on."""
    clock, refused, admitted = SteppedClock(), Counter[str](), 0
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    before = structlog.get_config()
    structlog.configure(wrapper_class=silent)
    try:
        for seed in range(FIRST_SEED, FIRST_SEED + INTERLEAVINGS):
            bench = build_bench(control, clock, seed)
            traders = [(strategy, symbol) for strategy in STRATEGIES for symbol in SYMBOLS for _ in range(2)]
            bench.rng.shuffle(traders)
            await asyncio.gather(*(bench.trade(*key) for key in traders))
            assert bench.truth.breaches() == [], f"seed {seed}"
            refused += bench.truth.refused
            admitted += len(bench.truth.admitted)
    finally:
        structlog.configure(**before)
    assert admitted > INTERLEAVINGS, "orders did pass"
    tested = {"PositionLimit", "StrategyExposureLimit", "ConcentrationLimit", "VarLimit", "OrderRateLimit"}
    assert tested <= refused.keys(), "limits were near"
