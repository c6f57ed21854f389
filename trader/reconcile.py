"""At start, before anything is traded: the journal, the venue and the book are brought to one account of the facts.

Doing it twice changes nothing: orders are looked up by our ids, fills are booked by the venue's, coins are adopted by
the one event that opens the book.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ares.clock import Clock
from ares.errors import VenueError, VenueUnavailable
from ares.resilience import Backoff
from ares.telemetry import get_logger
from trader.account import Account
from trader.contracts import differences, sweep_funding
from trader.events import Adoption
from trader.execution.desk import OrderDesk
from trader.execution.ledger import Ledger
from trader.execution.state import StateChange, TradingStates
from trader.execution.tracked import PROTECTION
from trader.live.gate import require_harmless_key
from trader.portfolio.money import ZERO
from trader.portfolio.orders import OrderState
from trader.portfolio.positions import is_linear

MARK_AGE_S = 5.0
"""Coins that are adopted are valued by no older mark than this."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an order of unknown outcome is waited for, and how often it is looked for; `rng` draws the waits between
    tries.
    """

    doubt_s_max: float
    poll_s: float
    rng: random.Random


class Reconciler:
    """Brings journal, venue and book together; raises `VenueError`s for the caller to try again."""

    def __init__(self, account: Account, states: TradingStates, clock: Clock, symbols: Sequence[str]) -> None:
        self._account = account
        self._states = states
        self._clock = clock
        self._symbols = symbols

    @property
    def _ledger(self) -> Ledger:
        return self._account.parts.ledger

    @property
    def _desk(self) -> OrderDesk:
        return self._account.parts.desk

    async def until_done(
        self, adopt_to: str | None, patience: Patience, *, real: bool, tell: Callable[[str], None]
    ) -> None:
        """Look at the key, and reconcile, again and again until the venue answers; `tell` hears what is being done.

        Raises `ConfigError` for a key that may do more than trade.
        """
        backoff = Backoff(0.5, 10.0, patience.rng)
        gateway, venue = self._account.parts.gateway, self._account.parts.who.venue
        while True:
            tell("reconciling with the venue")
            try:
                await require_harmless_key(gateway.rights(), venue, real=real)
                await self.run(adopt_to, doubt_s_max=patience.doubt_s_max, poll_s=patience.poll_s)
            except VenueError as error:
                wait_s = backoff.next_wait_s()
                tell(f"reconciling with the venue: {error}")
                log.warning("reconcile_failed", cause=str(error), wait_s=wait_s)
                await self._clock.sleep(wait_s)
            else:
                return

    async def run(self, adopt_to: str | None, *, doubt_s_max: float, poll_s: float) -> StateChange:
        """Reconcile once; the journal and the book were loaded. Returns the state that follows.

        Waits up to `doubt_s_max` for orders of unknown outcome; one that stays unknown blocks its own symbol and
        strategy only.
        """
        account = self._account
        asked_ns = self._clock.now_ns()
        for symbol, grid in (await account.parts.gateway.connect(self._symbols)).items():
            account.parts.instruments.learn(symbol, grid, asked_ns)
        await self._resolve(doubt_s_max, poll_s)
        await account.check_open_orders()
        if self._ledger.is_open:
            await account.sweep_executions(self._symbols)
            await sweep_funding(account)
        else:
            await account.begin_sweeps(self._symbols)
        await account.refresh_balances()
        await account.parts.marks.get(self._symbols, MARK_AGE_S)
        if not self._ledger.is_open:
            await self._ledger.open(self._adoptions(adopt_to), self._clock.now_ns())
        await account.count_capital(self._clock.now_ns())
        change = await self.compare()
        log.info("reconciled", state=change.state.value, orders_open=len(self._desk.orders()))
        return change

    async def compare(self) -> StateChange:
        """REDUCING while the venue has fewer coins than the book, or another position of a contract.

        Nothing is concluded while orders are under way. Those that protect stand for days, so they do not count; but
        what seems to be missing may be what they closed.
        """
        if any(order.intent.source != PROTECTION or order.state is OrderState.UNKNOWN for order in self._desk.orders()):
            return await self._states.refresh()
        short = self._account.shortfalls()
        if self._desk.orders() and (short or differences(self._ledger.portfolio, self._account.contracts)):
            fills = self._ledger.portfolio.fills
            await self._desk.follow()
            if self._ledger.portfolio.fills != fills:
                return await self._states.refresh()
        for currency, (book, venue) in short.items():
            log.error("balance_short", currency=currency, book=str(book), venue=str(venue))
        apart = differences(self._ledger.portfolio, self._account.contracts)
        for symbol, (book, venue) in apart.items():
            log.error("position_differs", symbol=symbol, book=str(book), venue=str(venue))
        reasons = [f"the venue holds less than the book: {_listed(short)}"] if short else []
        reasons += [f"the venue's positions are not the book's: {_listed(apart)}"] if apart else []
        return await self._states.reconciled(short="; ".join(reasons) or None, now_ns=self._clock.now_ns())

    async def _resolve(self, doubt_s_max: float, poll_s: float) -> None:
        deadline_s = self._clock.monotonic_s() + doubt_s_max
        await self._desk.follow()
        while self._desk.in_doubt and self._clock.monotonic_s() < deadline_s:
            await self._clock.sleep(poll_s)
            await self._desk.follow()

    def _adoptions(self, strategy: str | None) -> list[Adoption]:
        """What is there before the first trade, one adoption per coin of the account's currency pairs and per contract.

        Coins are adopted at mark. Contracts at the price that the venue says they were entered at, so that unrealised
        profit is the venue's own.
        """
        if strategy is None:
            return []
        adoptions: list[Adoption] = []
        adopted: set[str] = set()
        for symbol in self._symbols:
            contract = self._account.contracts.get(symbol)
            if contract is not None:
                adoptions.append(Adoption(symbol, strategy, contract.quantity, contract.entry_price))
            if is_linear(symbol):
                continue
            base = symbol.partition("/")[0]
            quantity = self._account.balances[base].total if base in self._account.balances else ZERO
            mark = self._account.mark(symbol)
            if not quantity or base in adopted:
                continue
            if mark is None:
                raise VenueUnavailable(f"{symbol} has no market now, so the {base} that is held cannot be valued")
            adopted.add(base)
            adoptions.append(Adoption(symbol, strategy, quantity, mark))
        return adoptions


def _listed(differing: Mapping[str, tuple[Decimal, Decimal]]) -> str:
    return "; ".join(f"{name}: book {book:f}, venue {venue:f}" for name, (book, venue) in sorted(differing.items()))
