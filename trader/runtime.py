"""The trading of one account by one process: lead, reconcile, then cycles, orders and the account side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from ares.config.trading import TradingConfig
from ares.errors import VenueError
from ares.resilience import Cache
from ares.service.types import Health
from ares.telemetry import get_logger
from trader.account import Account, AccountParts
from trader.commander import Commander, CommanderParts
from trader.contracts import sweep_funding
from trader.cycle import Cycle, CycleParts
from trader.due import Due
from trader.execution.capital import Capital
from trader.execution.desk import DeskParts, OrderDesk
from trader.execution.eve import Eve
from trader.execution.journal import OrderJournal
from trader.execution.lease import Leadership
from trader.execution.ledger import Ledger
from trader.execution.limits import SetLimits
from trader.execution.pauses import StrategyPauses
from trader.execution.plan_orders import policies_of
from trader.execution.plans import Plans, PlansParts
from trader.execution.protection import protection_of
from trader.execution.rests import Rests
from trader.execution.rivals import Rivals
from trader.execution.state import TradingStates
from trader.execution.tracked import PROTECTION
from trader.handover.desk import HandoverDesk, HandoverParts
from trader.limits_configured import limits
from trader.listed import refresh_instruments
from trader.live.agreements import Agreements
from trader.live.gate import Gate
from trader.live.settings import Terms
from trader.outage import Outage
from trader.parts import TraderParts
from trader.portfolio.sizing import Grid
from trader.reconcile import Patience, Reconciler
from trader.risk import TradingState
from trader.rows import Identity
from trader.watch import Life, Watch, WatchParts

ACCOUNT_S = 30.0
"""How often balances and executions are asked for when nothing happens."""
VENUE_S = 10.0
"""How often the venue is asked whether it works, and which symbols trade."""
CYCLES_MISSED_MAX = 4
GATE_POLL_S = 1.0
NEVER_LOOKED = -1
STANDING_BY = "standing by"

log = get_logger(__name__)


class Trader:
    """All rooms of the package, put together. `run` lasts until cancelled, or until another trader was let in."""

    def __init__(self, parts: TraderParts) -> None:
        config, everybodys, clock = parts.config, parts.control, parts.clock
        self._parts = parts
        self._config, self._settings, self._clock = config, parts.settings, clock
        whose = (everybodys, config.account, parts.instance, clock, config.lease_s)
        self.leadership = Leadership(*whose, color=parts.color)
        control = everybodys.behind(self.leadership.fence)
        who = Identity(config.account, config.venue)
        journal = OrderJournal(control, config.account)
        self.states = TradingStates(everybodys, config.account, clock)
        self.limits = SetLimits(everybodys, config.account, clock, four_eyes=parts.four_eyes)
        self.ledger = Ledger(control, who)
        self.gate = Gate(Agreements(everybodys, config.account, clock), parts.terms)
        self.marks: Cache[str, Decimal] = Cache("marks", clock, parts.gateway.marks)
        self.instruments: Cache[str, Grid] = Cache("instruments", clock, parts.gateway.grids)
        self.rests = Rests(control, config.account)
        self.desk = self._desk(journal)
        self._eve = Eve(parts.announced, self.desk, config.venue)
        self.account = Account(
            AccountParts(
                who=who,
                quote_currency=config.quote_currency,
                leverage=Decimal(config.leverage),
                control=control,
                gateway=parts.gateway,
                journal=journal,
                ledger=self.ledger,
                desk=self.desk,
                clock=clock,
                marks=self.marks,
                instruments=self.instruments,
                capital=Capital(control, config.account),
                foreign_strategy=config.foreign_strategy,
                rivals=Rivals(self.states, clock),
                announced=parts.announced,
            )
        )
        self._symbols = tuple(dict.fromkeys(x for s in config.strategies for x in s.symbols or tuple(parts.symbols)))
        self.reconciler = Reconciler(self.account, self.states, clock, self._symbols)
        self.pauses = StrategyPauses(everybodys, config.account)
        self.storage = Outage("QuestDB", clock)
        self.protection = protection_of(config, self.account, self.states, self.rests, lift_s_max=parts.request_s_max)
        self.plans = self._plans()
        self.cycle = self._cycle()
        self.life = Life(clock)
        self.handover = self._handover()
        self._turn = self.handover.turn
        self.commander = self._commander()
        self.watch = self._watch()
        self._due = Due(parts.reader, clock, lambda: self._config)
        self._ending = False
        self._running: asyncio.Task[None] | None = None
        self._doing = "starting"
        self._reconciled = False
        self._cycled_at_s = 0.0
        self._fills_seen = NEVER_LOOKED
        self._heeded_seq = 0
        """Of the newest halt after which no open order was left: one may reach the venue later than its cancel."""

    async def run(self) -> None:
        """Stand by, lead, reconcile, then trade until cancelled; returns once another trader was let in.

        Raises what ends the trading (`LeaseLost`, `ControlUnavailable`, …) in a group: the next start begins from the
        journal.
        """
        await self._agreed()
        self._doing = STANDING_BY
        await self._turn.come(self.handover.standby)
        await self._turn.lead(self._parts.led, self._trade, self._handed_over)

    async def begin(self) -> None:
        """Everything before the first cycle: journal, book, venue. The lease must be ours."""
        await self.states.refresh()
        await self.limits.refresh()
        await self.rests.load()
        await self.ledger.load()
        await self.desk.load()
        await self._reconcile()
        self.account.parts.rivals.begin()
        await self.plans.load()
        mark_age_s_max = self.limits.effective(limits(self._config)).mark_age_s_max
        await self.account.note_profit(self._clock.now_ns(), mark_age_s_max)
        await self.protection.tend()
        self._reconciled = True
        self._cycled_at_s = self._clock.monotonic_s()

    def reconfigure(
        self, config: TradingConfig, terms: Terms | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        """Trade by these settings from the next cycle on, and reduce only if their terms were not agreed to."""
        self._config = config
        self._settings = self._settings if settings is None else settings
        self.gate.terms = terms
        self.cycle.reconfigure(config)

    async def stop(self) -> None:
        """Let orders that are on their way come back, then let a successor in."""
        if await self._drained("stopping"):
            await self.leadership.release()

    def health(self) -> Health:
        if not self._reconciled:
            return Health(ready=False, detail=self._doing)
        if self.leadership.lease is None:
            return Health(ready=False, detail="the lease was lost")
        silent_s = self._clock.monotonic_s() - self._cycled_at_s
        if silent_s > CYCLES_MISSED_MAX * self._config.cycle_s + self._parts.request_s_max:
            return Health(ready=False, detail=f"no cycle for {silent_s:.0f} s")
        return Health(ready=True, detail=self.states.effective.value)

    async def follow_once(self, looked_at_s: float) -> float:
        """Look after commands of other processes, orders, and now and then the account; returns when that was."""
        await self._restrain()
        said = await self.states.refresh()
        heeded = said.state is not TradingState.HALTED or said.seq == self._heeded_seq
        if not heeded and not await self.desk.cancel_open(sparing=("flatten", PROTECTION)):
            self._heeded_seq = said.seq
        await self._eve.heed(self._clock.now_ns())
        await self.desk.follow()
        await self.protection.tend()
        now_s, fills = self._clock.monotonic_s(), self.ledger.portfolio.fills
        if fills == self._fills_seen and now_s - looked_at_s < ACCOUNT_S:
            return looked_at_s
        await refresh_instruments(self.account, self._symbols, self._config.instrument_age_s_max / 2)
        try:
            await self._look_at_account(fills)
        except VenueError as error:
            log.warning("account_not_seen", cause=str(error))
        return now_s

    async def _agreed(self) -> None:
        """Return once nothing stands in the way of trading with real money, if it is real."""
        waiting = False
        while (obstacle := await self.gate.obstacle()) is not None:
            self._doing = obstacle
            if not waiting:
                log.warning("live_awaited", cause=obstacle)
                waiting = True
            await self._clock.sleep(GATE_POLL_S)

    async def _restrain(self) -> None:
        """Only reduce while what is traded was not agreed to."""
        obstacle = await self.gate.obstacle()
        if obstacle is not None:
            await self.states.forbidden(obstacle, self._clock.now_ns())

    async def _handed_over(self, to: str) -> bool:
        """Send nothing more, for the trader of another colour shall lead; whether nothing is on its way."""
        await self.commander.idle(self._parts.request_s_max)
        self.leadership.send_no_more()
        return await self._drained(f"handing over to {to}")

    async def _drained(self, doing: str) -> bool:
        """Begin nothing more, and wait for what is on its way; False if something still is."""
        self._reconciled = False
        self._doing = doing
        self._ending = True
        s_max = self._parts.request_s_max
        return await self._cycle_ended(s_max) and await self.desk.quiet(s_max)

    async def _trade(self) -> None:
        await self.begin()
        await self._turn.ready()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="follow")
            tasks.create_task(self._turn.tell_settings(), name="settings")
            tasks.create_task(self.plans.run(), name="plans")
            tasks.create_task(self.watch.run(), name="watch")
            tasks.create_task(self._due.signals(), name="signals")
            tasks.create_task(self._look_around(), name="venue")
            tasks.create_task(self._due.ticks(), name="tick")
            tasks.create_task(self._cycles(), name="cycle")

    async def _reconcile(self) -> None:
        """Again and again until the venue answers."""
        config = self._config
        doubt_s_max = 2 * config.unknown_visibility_s + self._parts.request_s_max
        patience = Patience(doubt_s_max, config.unknown_poll_s, self._parts.rng)
        await self.reconciler.until_done(
            config.adopt_balances_to, patience, real=self.gate.terms is not None, tell=self._does
        )

    def _does(self, what: str) -> None:
        self._doing = what

    async def _look_around(self) -> None:
        """How the venue is; what could not be learned is as it was."""
        while True:
            try:
                await self._parts.gateway.look_around(self._symbols)
            except VenueError as error:
                log.warning("venue_condition_not_seen", cause=str(error))
            await self._clock.sleep(VENUE_S)

    async def _cycles(self) -> None:
        """One after the other, as they are due. What a cycle does not expect ends the service: the journal knows where
        we were. One that is cut off here goes on: `stop` waits for it.
        """
        while not self._ending:
            await self._due.wait()
            self._running = asyncio.create_task(self._cycle_once(), name="one-cycle")
            await asyncio.shield(self._running)

    async def _cycle_once(self) -> None:
        await self._restrain()
        await self.cycle.run()
        self._cycled_at_s = self._clock.monotonic_s()

    async def _cycle_ended(self, seconds_max: float) -> bool:
        """Wait for a cycle that still runs; False if it had to be cut off."""
        if self._running is None:
            return True
        _, late = await asyncio.wait({self._running}, timeout=seconds_max)
        for task in late:
            task.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        return not late

    async def _follow(self) -> None:
        looked_at_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(self._config.unknown_poll_s if self.desk.in_doubt else self._config.sweep_s)
            looked_at_s = await self.follow_once(looked_at_s)

    async def _look_at_account(self, fills: int) -> None:
        await self.account.check_open_orders()
        await self.account.sweep_executions(self._symbols)
        await sweep_funding(self.account)
        await self.account.refresh_balances()
        self._fills_seen = self.ledger.portfolio.fills
        if self._fills_seen == fills:
            # Balances and book are of one moment only if nothing was filled while we looked.
            await self.reconciler.compare()

    def _desk(self, journal: OrderJournal) -> OrderDesk:
        return OrderDesk(
            DeskParts(
                gateway=self._parts.gateway,
                journal=journal,
                ledger=self.ledger,
                states=self.states,
                rests=self.rests,
                leadership=self.leadership,
                clock=self._clock,
                marks=self.marks,
                visibility_s=self._config.unknown_visibility_s,
            )
        )

    def _plans(self) -> Plans:
        return Plans(
            PlansParts(
                account=self.account,
                states=self.states,
                pauses=self.pauses,
                limits=self.limits,
                leadership=self.leadership,
                protection=self.protection,
                reader=self._parts.reader,
                config=lambda: self._config,
                policies=policies_of(self._config),
                settle_s_max=self._parts.request_s_max,
                poll_s=self._config.unknown_poll_s,
            )
        )

    def _cycle(self) -> Cycle:
        return Cycle(
            CycleParts(
                config=self._config,
                symbols=self._parts.symbols,
                account=self.account,
                states=self.states,
                pauses=self.pauses,
                limits=self.limits,
                protection=self.protection,
                plans=self.plans,
                rests=self.rests,
                reader=self._parts.reader,
                storage=self.storage,
            )
        )

    def _watch(self) -> Watch:
        return Watch(
            WatchParts(
                states=self.states,
                gateway=self._parts.gateway,
                symbols=self._symbols,
                storage=self.storage,
                life=self.life,
                clock=self._clock,
                config=lambda: self._config,
                halt=self.commander.halt,
            )
        )

    def _handover(self) -> HandoverDesk:
        return HandoverDesk(
            HandoverParts(
                trader=self._parts,
                account=self.account,
                states=self.states,
                limits=self.limits,
                leadership=self.leadership,
                gate=self.gate,
                symbols=self._symbols,
                cycle=self.cycle,
                config=lambda: self._config,
                settings=lambda: self._settings,
                health=self.health,
            )
        )

    def _commander(self) -> Commander:
        return Commander(
            CommanderParts(
                account=self.account,
                states=self.states,
                pauses=self.pauses,
                limits=self.limits,
                leadership=self.leadership,
                clock=self._clock,
                protection=self.protection,
                plans=self.plans,
                cycle=self.cycle,
                reader=self._parts.reader,
                symbols=self._symbols,
                config=lambda: self._config,
                settle_s_max=self._config.unknown_visibility_s + self._parts.request_s_max,
                poll_s=self._config.unknown_poll_s,
                is_ready=lambda: self._reconciled,
                gate=self.gate,
                life=self.life,
                handover=self.handover,
            )
        )
