"""Orders by hand: the same grid, rules, journal and sender as a strategy's; only the wish is a person's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from ares.config.trading import TradingConfig
from ares.errors import StoreError, UnknownName, UsageError, VenueError, VenueUnavailable
from ares.model.strategies import MANUAL
from ares.telemetry import get_logger, observability
from trader.account import Account
from trader.command_log import Outcome
from trader.decide import age_s, refusal_reason
from trader.execution.ids import correlation_id, manual_order_id
from trader.execution.lease import Leadership
from trader.execution.limits import SetLimits
from trader.execution.protection import Protection, alone
from trader.execution.state import TradingStates
from trader.limits_configured import limits
from trader.manual_words import (
    Judged,
    Wish,
    ended,
    order_words,
    repeated,
    time_in_force,
    told_of,
    verdict_words,
    warned_words,
)
from trader.portfolio.legs import only_closes
from trader.portfolio.money import ZERO
from trader.portfolio.orders import Intent
from trader.portfolio.sizing import Grid, limit_price
from trader.reader import MarketReader, MarketSeen
from trader.risk import Candidate, Refused, build_rules
from trader.risk.rules.buying_power import FEE_SHARE
from trader.risk_now import PricesSeen, risk_now, scale_now
from trader.rows import Decision, decision_row

MARK_AGE_S = 1.0
"""Where no row tells a young price, the venue's is asked for unless it was within this."""
READ_S_MAX = 2.0
"""How long QuestDB is waited for before the venue is asked for a price."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ManualParts:
    """What orders by hand are judged and sent with. `symbols`: what the account trades."""

    account: Account
    states: TradingStates
    protection: Protection
    limits: SetLimits
    leadership: Leadership
    reader: MarketReader
    config: Callable[[], TradingConfig]
    symbols: Sequence[str]
    is_ready: Callable[[], bool]


class ManualOrders:
    """Previews and sends orders that a person asks for."""

    def __init__(self, parts: ManualParts) -> None:
        self._parts = parts
        self._account = parts.account
        self._desk = parts.account.parts.desk
        self._protection = parts.protection
        self._clock = parts.account.parts.clock
        self._one_at_a_time = asyncio.Lock()

    async def preview(self, wish: Wish) -> Outcome:
        """What would be sent and what every rule says to it. Raises `UsageError` for what no rule needs to see."""
        judged = await self._judged(wish)
        candidate, prices = judged.candidate, judged.prices
        state = risk_now(self._account, self._parts.states.effective, judged.now_ns, prices)
        verdicts = judged.rules.check_all(candidate, state)
        busy = self._desk.busy(wish.symbol, wish.strategy)
        expected = wish.price if wish.price is not None else prices.mark
        refused = [name for name, verdict in verdicts if isinstance(verdict, Refused)]
        return {
            **order_words(judged),
            "mark": f"{prices.mark:f}",
            "quote_age_s": f"{prices.quote_age_s:.3f}",
            "cost_quote": f"{wish.quantity * expected:f}",
            "cost_quote_worst": f"{wish.quantity * candidate.price:f}",
            "fee_quote": f"{wish.quantity * expected * FEE_SHARE:f}",
            "state": self._parts.states.effective.value,
            "order_under_way": None if busy is None else busy.intent.order_id,
            "would_send": not refused and busy is None,
            "rules": [verdict_words(name, verdict) for name, verdict in verdicts],
            "warnings": warned_words(judged.rules.warnings(candidate, state)),
            "limit_scale": f"{judged.scale:f}",
        }

    async def objection(self, wish: Wish, *, without: str, freed_quote: Decimal) -> Outcome | None:
        """Why an order would be refused now, if one that is under way were gone; None if nothing speaks against it.

        `freed_quote`: what the venue holds for that one. Nothing is sent or written. Raises `UsageError`.
        """
        judged = await self._judged(wish)
        obstacle = self._account.parts.gateway.obstacle(wish.symbol)
        if obstacle is not None:
            return {**order_words(judged), **ended("skip", obstacle)}
        state = risk_now(self._account, self._parts.states.effective, judged.now_ns, judged.prices)
        free = state.cash_free_quote + freed_quote
        state = replace(state, pending=self._desk.pending(without=without), cash_free_quote=free)
        verdict = judged.rules.check(judged.candidate, state)
        if not isinstance(verdict, Refused):
            return None
        words = verdict_words(verdict.rule, verdict)
        return {**order_words(judged), **words, **ended("refuse", refusal_reason(verdict))}

    async def send(self, wish: Wish) -> Outcome:
        """Check, commit and send it; a refusal is a row and an outcome. Raises `NotLeading`, `UsageError`."""
        order_id = manual_order_id(self._account.parts.who.account, wish.key)
        async with self._one_at_a_time:  # who asks for the same id meanwhile finds the order
            try:
                told, leaves = await self._commit(wish, order_id)
            finally:
                self._protection.restore("manual")  # a way out that was committed keeps protection away by itself
        return {**told, **told_of(await self._desk.send(order_id), repeated=False)} if leaves else told

    async def _commit(self, wish: Wish, order_id: str) -> tuple[Outcome, bool]:
        """What to tell, and whether an order was committed that now leaves."""
        standing = await self._account.parts.journal.find(order_id)
        if standing is not None:
            return repeated(standing, wish), False
        self._parts.leadership.require("order", is_ready=self._parts.is_ready())
        judged = await self._judged(wish)
        obstacle = self._obstacle(judged)
        if obstacle is not None:
            await self._tell(judged, "skip", obstacle)
            return {**order_words(judged), **ended("skip", obstacle)}, False
        if self._desk.protecting(wish.symbol, wish.strategy, wish.side) and self._would_leave(judged):
            if not await self._protection.lift(wish.symbol, wish.strategy, "manual"):
                await self._tell(judged, "skip", "protection_stands")
                return {**order_words(judged), **ended("skip", "protection_stands")}, False
            judged = await self._judged(wish)  # it may have been executed meanwhile
        # Nothing is waited for between the check and `intend`, which reserves before it waits itself.
        state = risk_now(self._account, self._parts.states.effective, judged.now_ns, judged.prices)
        verdict = judged.rules.check(judged.candidate, state)
        if isinstance(verdict, Refused):
            reason = refusal_reason(verdict)
            await self._tell(judged, "refuse", reason, verdict)
            told = {**order_words(judged), **verdict_words(verdict.rule, verdict), **ended("refuse", reason)}
            return told, False
        warned = judged.rules.warnings(judged.candidate, state)
        decision = replace(self._decision(judged, wish.side, MANUAL, order_id), warnings=warned)
        intent = self._intent(judged, order_id)
        if await self._desk.intend(intent, [decision_row(self._account.parts.who, decision)]):
            return {"warnings": warned_words(warned)}, True
        await self._tell(judged, "skip", "order_open")
        return {**order_words(judged), **ended("skip", "order_open")}, False

    def _obstacle(self, judged: Judged) -> str | None:
        """Why the venue takes no such order: what only closes is kept from it by nothing that was only announced."""
        parts = self._account.parts
        state = risk_now(self._account, self._parts.states.effective, judged.now_ns, judged.prices)
        announced = parts.announced.obstacle(judged.now_ns) if state.opening(judged.candidate) else None
        return parts.gateway.obstacle(judged.wish.symbol) or announced

    def _would_leave(self, judged: Judged) -> bool:
        """Whether it is worth lifting protection for an order: nothing else keeps it here."""
        state = risk_now(self._account, self._parts.states.effective, judged.now_ns, judged.prices)
        refused = isinstance(judged.rules.check(judged.candidate, state), Refused)
        return not refused and self._desk.busy(judged.wish.symbol, judged.wish.strategy) is None

    async def _judged(self, wish: Wish) -> Judged:
        config = self._parts.config()
        self._check_names(wish, config)
        grid = await self._grid(wish.symbol, config)
        await self._parts.states.refresh()
        await self._parts.limits.refresh()
        await self._refresh_marks(config.risk.mark_age_s_max / 2)
        market = await self._market()
        prices = await self._prices(wish.symbol, market, config)  # last, so that they do not age meanwhile
        _check_form(wish, grid, prices.mark)
        worst = wish.price
        if worst is None:
            worst = limit_price(wish.side, prices.mark, config.slippage_max, grid.price_tick)
        effective = self._parts.limits.effective(limits(config), wish.strategy, wish.symbol)
        scale = scale_now(self._account, config, effective, market, wish.symbol)
        return Judged(
            wish=wish,
            candidate=Candidate(wish.strategy, wish.symbol, wish.side, wish.quantity, worst),
            prices=prices,
            now_ns=self._clock.now_ns(),
            rules=build_rules(effective.scaled(scale)),
            scale=scale,
            market_order=wish.price is None and config.order_type == "market",
        )

    def _check_names(self, wish: Wish, config: TradingConfig) -> None:
        strategies = [MANUAL, *(strategy.name for strategy in config.strategies)]
        if wish.strategy not in strategies:
            raise UnknownName("strategy", wish.strategy, strategies)
        if wish.symbol not in self._parts.symbols:
            raise UnknownName("symbol", wish.symbol, list(self._parts.symbols))
        owner = alone(config, self._parts.symbols, wish.symbol)
        held = self._account.parts.ledger.portfolio.position(wish.symbol, wish.strategy).quantity
        if owner not in (None, wish.strategy) and not only_closes(wish.symbol, held, wish.side, wish.quantity):
            raise UsageError(
                f"strategy = {wish.strategy!r}: what {owner} holds of {wish.symbol} is protected at the venue, which "
                f"keeps one position of all. Order for {owner}"
            )

    async def _grid(self, symbol: str, config: TradingConfig) -> Grid:
        grids = await self._account.parts.instruments.get([symbol], config.instrument_age_s_max)
        if symbol not in grids:
            raise VenueUnavailable(f"{symbol} is not listed at {self._account.parts.who.venue} now")
        return grids[symbol]

    async def _market(self) -> MarketSeen:
        """What rows tell; nothing where the database is away."""
        try:
            async with asyncio.timeout(READ_S_MAX):
                return await self._parts.reader.read(self._clock.now_ns())
        except (StoreError, TimeoutError) as error:
            log.warning("order_without_rows", cause=str(error) or type(error).__name__)
            return MarketSeen()

    async def _prices(self, symbol: str, market: MarketSeen, config: TradingConfig) -> PricesSeen:
        """By rows as a cycle sees them; where they tell nothing young, by the venue's own answer."""
        activity = market.figures.activity.get(symbol)
        seen = PricesSeen(
            mark=ZERO,
            quote_age_s=ZERO,
            reference=market.trades.get(symbol),
            signal_age_s=ZERO,
            spread=None,
            volume_quote=None if activity is None else activity.volume_quote,
            loss_shares=market.figures.loss_shares,
        )
        quote = market.quotes.get(symbol)
        if quote is not None and quote.sane:
            age = age_s(self._clock.now_ns(), quote.received_at_ns)
            if age <= Decimal(str(config.risk.quote_age_s_max)):
                return replace(seen, mark=quote.mark, quote_age_s=age, spread=quote.spread)
        marks = self._account.parts.marks
        await marks.get([symbol], MARK_AGE_S)
        mark = marks.last(symbol)
        if mark is None:
            raise VenueUnavailable(f"{symbol} has no market now, so the order cannot be judged")
        return replace(seen, mark=mark.value, quote_age_s=age_s(self._clock.now_ns(), mark.at_ns))

    async def _refresh_marks(self, age_s_max: float) -> None:
        """Limits on shares of the account want a price of all that is held; without one they refuse to buy."""
        try:
            await self._account.refresh_marks(age_s_max)
        except VenueError as error:
            log.warning("order_without_marks", cause=str(error))

    def _intent(self, judged: Judged, order_id: str) -> Intent:
        wish, who = judged.wish, self._account.parts.who
        return Intent(
            order_id=order_id,
            account=who.account,
            venue=who.venue,
            symbol=wish.symbol,
            strategy=wish.strategy,
            version=self._version(wish.strategy),
            side=wish.side,
            type="market" if judged.market_order else "limit",
            time_in_force=time_in_force(wish),
            quantity=wish.quantity,
            price=None if judged.market_order else judged.candidate.price,
            mark=judged.prices.mark,
            source="manual",
            cycle_id=f"manual-{wish.key}",
            correlation_id=correlation_id(f"manual-{wish.key}", wish.strategy, wish.symbol),
            decided_at_ns=judged.now_ns,
            trace_id=observability.current_trace_id(),
        )

    def _version(self, strategy: str) -> int:
        return next((each.version for each in self._parts.config().strategies if each.name == strategy), 0)

    def _decision(
        self, judged: Judged, action: str, reason: str, order_id: str | None, refusal: Refused | None = None
    ) -> Decision:
        wish, portfolio = judged.wish, self._account.parts.ledger.portfolio
        return Decision(
            ts_ns=judged.now_ns,
            cycle_id=f"manual-{wish.key}",
            correlation_id=correlation_id(f"manual-{wish.key}", wish.strategy, wish.symbol),
            strategy=wish.strategy,
            version=self._version(wish.strategy),
            symbol=wish.symbol,
            action=action,
            reason=reason,
            state=self._parts.states.effective.value,
            refusal=refusal,
            scale=judged.scale,
            mark=judged.prices.mark,
            quantity=portfolio.position(wish.symbol, wish.strategy).quantity,
            order_quantity=wish.quantity,
            client_order_id=order_id,
        )

    async def _tell(self, judged: Judged, action: str, reason: str, refusal: Refused | None = None) -> None:
        row = decision_row(self._account.parts.who, self._decision(judged, action, reason, None, refusal))
        await asyncio.to_thread(self._account.parts.control.mirror, [row])


def _check_form(wish: Wish, grid: Grid, mark: Decimal) -> None:
    """What the venue would not even look at. Raises `UsageError`."""
    for name, value, step, what in (
        ("quantity", wish.quantity, grid.amount_step, "amount step"),
        ("price", wish.price, grid.price_tick, "price tick"),
    ):
        if value is None:
            continue
        if value <= 0 or value % step:
            near = max(step, value // step * step)
            raise UsageError(f"{name} = {value:f}: not a multiple of {wish.symbol}'s {what} {step:f}. Try {near:f}")
    if wish.quantity > grid.fitting(wish.quantity):
        raise UsageError(
            f"quantity = {wish.quantity:f}: the venue takes at most {grid.fitting(wish.quantity):f} of {wish.symbol} "
            "in one order. Ask for that, and for the rest afterwards"
        )
    cost = wish.quantity * (mark if wish.price is None else wish.price)
    if cost < grid.cost_min:
        raise UsageError(
            f"quantity = {wish.quantity:f}: worth {cost:f} in quote, less than the venue's least order of "
            f"{grid.cost_min:f}. Ask for more"
        )
