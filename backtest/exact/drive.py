"""Runs the trader through the past: from decision to decision, and to what is left of one in between.

>>> run_exact(settings, tested, instruments, [stretch]).outcome.fills
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ares.clock import NANOS_PER_SECOND
from ares.config.trading import TradingConfig
from ares.errors import ConfigError
from backtest.exact.arbiter import Arbiter
from backtest.exact.equity import EquityCurve
from backtest.exact.gateway import PlayedGateway
from backtest.exact.loop import LoopClock, SteppedLoop, run
from backtest.exact.reader import PlayedReader, moments
from backtest.exact.settings import ExactSettings, require_spot
from backtest.exact.venue import Venue
from backtest.outcome import Outcome, Tested
from backtest.tape import BarsAndSignals, Instrument
from trader.execution.plans import LOOK_S
from trader.parts import TraderParts
from trader.portfolio.orders import STANDING
from trader.risk import TradingState
from trader.rows import Decision
from trader.runtime import Trader

ACCOUNT_S = 600.0
"""How often the account is looked at while nothing happens: ticks and lots must not grow old."""
REQUEST_S_MAX = 10.0
SETTLED = ("no_signal", "signal_is_null", "stale_signal", "paused")
"""Skips that only a new signal can change."""

Act = Callable[[], Awaitable[None]]
Progress = Callable[[int], None]
Told = Callable[[Sequence[Decision]], None]
"""Told of the decisions of each cycle."""
"""Told up to which moment, UTC ns, the past was played."""


@dataclass(frozen=True, slots=True)
class ExactRun:
    """What came of a run: the outcome, and how much work it was. `decisions`: by action and reason."""

    outcome: Outcome
    decisions: Mapping[tuple[str, str], int]
    ticks: int
    cycles: int
    cash: Decimal
    holdings: Mapping[str, Decimal]
    """What the account holds at the end, by symbol, in base."""


@dataclass(slots=True)
class Tally:
    """What was decided so far."""

    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    cycles: int = 0

    def note(self, decisions: Sequence[Decision]) -> None:
        """Count the decisions of one cycle."""
        self.cycles += 1
        for each in decisions:
            self.decisions[each.action, each.reason] += 1
            if each.refusal is not None:
                self.refusals[each.refusal.rule] += 1


def run_exact(
    settings: ExactSettings,
    tested: Tested,
    instruments: Mapping[str, Instrument],
    stretches: Iterable[BarsAndSignals],
    progress: Progress = lambda _: None,
) -> ExactRun:
    """Play the stretches, which follow one another, to the end.

    The same arguments give the same run, to the last digit. Raises `ConfigError` for what cannot be played.
    """
    for symbol in tested.symbols:
        require_spot(symbol)
    return run(lambda loop: Drive(settings, tested, instruments, loop).play(stretches, progress), tested.from_ns)


def decisions_of(
    settings: ExactSettings,
    tested: Tested,
    instruments: Mapping[str, Instrument],
    stretches: Iterable[BarsAndSignals],
) -> list[Decision]:
    """Every decision of such a run, in order. Raises `ConfigError` for what cannot be played."""
    for symbol in tested.symbols:
        require_spot(symbol)
    kept: list[Decision] = []

    async def play(loop: SteppedLoop) -> None:
        drive = Drive(settings, tested, instruments, loop)
        drive.told = kept.extend
        await drive.play(stretches, lambda _: None)

    run(play, tested.from_ns)
    return kept


class Drive:
    """One run: the trader, its venue, and the clock between them."""

    def __init__(
        self, settings: ExactSettings, tested: Tested, instruments: Mapping[str, Instrument], loop: SteppedLoop
    ) -> None:
        self._settings = settings
        self._tested = tested
        self._loop = loop
        clock = LoopClock(loop)
        traded = [instruments[symbol] for symbol in tested.symbols]
        held = {symbol.partition("/")[0]: amount for symbol, amount in settings.holdings.items()}
        opening = {**held, settings.trading.quote_currency: settings.cash}
        self._venue = Venue(traded, settings.frictions, opening, tested.from_ns)
        name = (tested.strategy, tested.version)
        self._reader = PlayedReader(name, self._venue, settings.frictions.quote_stands_s)
        self._config = _config(settings.trading, tested, adopts=bool(held))
        self._trader = Trader(
            TraderParts(
                config=self._config,
                symbols=tested.symbols,
                control=Arbiter(),
                gateway=PlayedGateway(tested.venue, self._venue, clock, settings.latency),
                reader=self._reader,
                clock=clock,
                instance="backtest",
                request_s_max=REQUEST_S_MAX,
            )
        )
        self.told: Told = lambda _: None
        self._tally = Tally()
        self._equity = EquityCurve(settings.cash)
        self._again_s: float | None = None
        """When the next cycle is due though no signal came."""
        self._followed_s = self._looked_s = self._planned_s = 0.0
        self._events_seen = -1
        """How much had happened at the venue before the last look."""

    async def play(self, stretches: Iterable[BarsAndSignals], progress: Progress) -> ExactRun:
        """Everything in its order. What falls due after a stretch is decided in the next one."""
        waiting: list[int] = []
        begun = False
        for stretch in stretches:
            self._venue.load(stretch)
            self._reader.load(stretch)
            if not begun:
                await self._begin(stretch)
                begun = True
            waiting += moments(stretch, self._settings.latency.decide_s)
            for due_ns in [ns for ns in waiting if ns < stretch.to_ns]:
                await self._pass_to(due_ns)
                await self._cycle()
            waiting = [ns for ns in waiting if ns >= stretch.to_ns]
            await self._pass_to(stretch.to_ns)
            self._venue.play(max(self._loop.now_ns(), stretch.to_ns))
            self._equity.add(stretch.bars, self._venue.fills)
            progress(stretch.to_ns)
        return self._result()

    async def _begin(self, stretch: BarsAndSignals) -> None:
        """The venue has a price only once something was traded, and reconciling does not need one."""
        self._loop.jump(max(stretch.from_ns, self._venue.priced_from_ns(self._settings.holdings)))
        await self._trader.leadership.wait()
        await self._trader.begin()
        if self._settings.state is not TradingState.ACTIVE:
            said = ("backtest", "asked for", self._loop.now_ns())
            await self._trader.states.change(self._settings.state, *said)
        self._followed_s = self._looked_s = self._loop.time()

    async def _pass_to(self, to_ns: int) -> None:
        """Let time pass, and do on the way what the trader does by itself: look after orders and plans, try again."""
        while True:
            due_s, act = min(self._due(), key=_when)
            due_ns = self._tested.from_ns + round(due_s * NANOS_PER_SECOND)
            if due_ns >= to_ns:
                self._loop.jump(to_ns)
                return
            self._loop.jump(due_ns)
            await self._trader.leadership.renew()
            await act()

    def _due(self) -> list[tuple[float, Act]]:
        """What the trader does next by itself, and when, seconds since the start."""
        desk, config = self._trader.desk, self._config
        follow_s = config.unknown_poll_s if desk.in_doubt else config.sweep_s if desk.orders() else ACCOUNT_S
        is_seen = self._events_seen == self._venue.ledger.executions
        if is_seen and all(order.state in STANDING for order in desk.orders()):
            follow_s = self._slot_s(follow_s)
        due: list[tuple[float, Act]] = [(self._followed_s + follow_s, self._follow)]
        if self._trader.plans.under_way():
            due.append((self._planned_s + LOOK_S, self._tend_plans))
        if self._again_s is not None:
            due.append((self._again_s, self._cycle))
        return due

    def _slot_s(self, sweep_s: float) -> float:
        """How long after the last look the next one is that can see anything: of all sweeps the first of use.

        Orders that stand are only changed by the market, whose way is known here; looks before that see nothing.
        """
        latest_ns = self._tested.from_ns + round((self._followed_s + ACCOUNT_S) * NANOS_PER_SECOND)
        silent_s = (self._venue.silent_until_ns(latest_ns) - self._tested.from_ns) / NANOS_PER_SECOND
        return max(1, math.ceil((silent_s - self._followed_s) / sweep_s)) * sweep_s

    async def _cycle(self) -> None:
        """Decide; again after a while, as live, if something was left undone that time may mend."""
        await self._trader.leadership.renew()
        decisions = await self._trader.cycle.run()
        self._tally.note(decisions)
        self.told(decisions)
        undone = any(self._is_undone(each) for each in decisions)
        self._again_s = self._loop.time() + self._config.cycle_s if undone else None
        self._planned_s = self._loop.time()

    def _is_undone(self, decision: Decision) -> bool:
        """Whether the next cycle, live, might do more without a new signal.

        Not after a hold, which only the price could change, nor where an order left less undone than is sized.
        """
        if decision.action not in ("buy", "sell") or decision.target_quantity is None or decision.mark is None:
            return decision.action != "hold" and decision.reason not in SETTLED
        grid = self._trader.account.grid(decision.symbol)
        assert grid is not None, "what was ordered has a grid"
        held = self._trader.ledger.portfolio.position(decision.symbol, decision.strategy).quantity
        left = abs(decision.target_quantity - held)
        share = 0 if decision.target_quantity == 0 else Decimal(str(self._config.rebalance_share_min))
        least = max(grid.cost_min, share * self._config.strategies[0].max_position_quote)
        return left >= grid.amount_step and left * decision.mark >= least

    async def _follow(self) -> None:
        self._events_seen = self._venue.ledger.executions
        self._looked_s = await self._trader.follow_once(self._looked_s)
        self._followed_s = self._loop.time()

    async def _tend_plans(self) -> None:
        await self._trader.plans.tend()
        self._planned_s = self._loop.time()

    def _result(self) -> ExactRun:
        ledger, tally = self._venue.ledger, self._tally
        equity_ts, equity = self._equity.result()
        fills = tuple(sorted(self._venue.fills, key=lambda fill: fill.ts_ns))
        outcome = Outcome("exact", self._tested, fills, equity_ts, equity, dict(sorted(tally.refusals.items())))
        quote = self._config.quote_currency
        return ExactRun(
            outcome,
            decisions=dict(sorted(tally.decisions.items())),
            ticks=self._venue.ticks,
            cycles=tally.cycles,
            cash=ledger.total(quote),
            holdings={symbol: ledger.total(symbol.partition("/")[0]) for symbol in self._tested.symbols},
        )


def _when(due: tuple[float, Act]) -> float:
    return due[0]


def _config(trading: TradingConfig, tested: Tested, *, adopts: bool) -> TradingConfig:
    """The trader's own settings, for this strategy alone and an account that moves no money. Raises `ConfigError`."""
    mine = [s for s in trading.strategies if (s.name, s.version) == (tested.strategy, tested.version)]
    if not mine:
        known = ", ".join(f"{s.name} {s.version}" for s in trading.strategies) or "none"
        way_out = f"Known: {known}. Add it to trading.strategies with max_position_quote"
        raise ConfigError("strategy", f"{tested.strategy} {tested.version}", "its size is not configured", way_out)
    alone = mine[0].model_copy(update={"symbols": tested.symbols})
    return trading.model_copy(
        update={
            "account": "backtest",
            "venue": tested.venue,
            "strategies": (alone,),
            "adopt_balances_to": tested.strategy if adopts else None,
            "live": False,
        }
    )
