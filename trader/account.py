"""What the account is worth and whether the venue agrees: balances, marks, strangers' executions, the day's profit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ares.clock import DAY_NS, NANOS_PER_SECOND, Clock, floor_ns
from ares.control import ControlStore
from ares.errors import VenueRejected
from ares.events.types import Origin
from ares.resilience import Cache
from ares.telemetry import get_logger, metrics
from trader.events import DAY_STARTED, PEAK_REACHED, REGISTRY, CapitalCounted, DayStarted, Holding, PeakReached
from trader.execution.capital import Capital
from trader.execution.desk import OrderDesk
from trader.execution.ids import is_ours
from trader.execution.journal import OrderJournal
from trader.execution.ledger import Ledger
from trader.execution.rivals import Rivals
from trader.portfolio.forced import bearer, is_forced
from trader.portfolio.money import ZERO, to_scale
from trader.portfolio.orders import OrderReport
from trader.portfolio.portfolio import Worth
from trader.portfolio.positions import Execution, is_linear
from trader.portfolio.sizing import Grid
from trader.rows import Equity, Identity, balance_rows, equity_row
from trader.venues.announced import Announced
from trader.venues.gateway import Balance, VenueGateway, VenuePosition

PAGES_MAX = 20
"""Pages of executions read in one sweep; the rest follows in the next."""

SHOWN_S_MAX = 60
"""How old an execution may be whose order the venue does not show yet; one that is older is nobody's we know."""
PEAK_STEP = Decimal("0.001")
"""A new highest profit is journaled when it is higher by this share of the account; a restart forgets no more."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AccountParts:
    """What the account is watched with."""

    who: Identity
    quote_currency: str
    leverage: Decimal
    """Notional of contracts over their initial margin."""
    control: ControlStore
    gateway: VenueGateway
    journal: OrderJournal
    ledger: Ledger
    desk: OrderDesk
    clock: Clock
    marks: Cache[str, Decimal]
    """In quote, by symbol: the last that anybody told us."""
    instruments: Cache[str, Grid]
    capital: Capital
    foreign_strategy: str
    """Whose the executions are that nobody here ordered."""
    rivals: Rivals
    """Who else orders here by our program."""
    announced: Announced
    """When the venue said that it will be worked on."""


@dataclass(slots=True)
class Peak:
    """The highest profit, in quote, and what the journal says of it."""

    pnl_quote: Decimal
    journaled_quote: Decimal
    seq: int


@dataclass(slots=True)
class Account:
    """The account as it was last seen."""

    parts: AccountParts
    balances: Mapping[str, Balance] = field(default_factory=dict)
    contracts: Mapping[str, VenuePosition] = field(default_factory=dict)
    """What the venue says is held of contracts, whoever ordered it."""
    unlisted: frozenset[str] = frozenset()
    """Symbols of ours that the venue, when it was asked last, did not list."""
    _fills_at_balances: int = -1
    _scanned: dict[str, int] = field(default_factory=dict)
    _day_ns: int = 0
    _day_start_pnl: Decimal = ZERO
    _day_seq: int = 0
    _equity_quote: Decimal | None = None
    _peak: Peak | None = None

    @property
    def cash(self) -> Balance:
        """What is there of the quote currency."""
        return self.balances.get(self.parts.quote_currency, Balance(ZERO, ZERO))

    async def refresh_balances(self) -> None:
        """Ask the venue what is there, and write it down."""
        fills = self.parts.ledger.portfolio.fills
        self.contracts = await self.parts.gateway.positions()
        self.balances = await self.parts.gateway.balances()
        self._fills_at_balances = fills
        rows = balance_rows(self.parts.who, self.balances, self.parts.clock.now_ns())
        await asyncio.to_thread(self.parts.control.mirror, rows)

    def shortfalls(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Coins of which the venue has less than the book, as (book, venue); a lot's worth is not counted."""
        book: dict[str, Decimal] = {}
        tolerance: dict[str, Decimal] = {}
        for position in self.parts.ledger.portfolio.positions():
            if is_linear(position.symbol):
                continue
            base = position.symbol.partition("/")[0]
            book[base] = book.get(base, ZERO) + position.quantity
            grid = self.grid(position.symbol)
            tolerance[base] = max(tolerance.get(base, ZERO), ZERO if grid is None else grid.amount_step)
        short: dict[str, tuple[Decimal, Decimal]] = {}
        for base, quantity in book.items():
            there = self.balances.get(base, Balance(ZERO, ZERO)).total
            missing = quantity - there
            metrics.TRADER_BALANCE_SHORT.labels(base).set(float(max(ZERO, missing)))
            if missing > tolerance[base]:
                short[base] = (quantity, there)
        return short

    def liquidation_shares(self) -> dict[str, Decimal]:
        """How far the liquidation price of contracts lies from the mark, a share of that; where the venue names one."""
        return {
            symbol: to_scale(abs(held.liquidation_price - mark) / mark)
            for symbol, held in self.contracts.items()
            if held.liquidation_price is not None and (mark := self.mark(symbol))
        }

    async def sweep_executions(self, symbols: Iterable[str]) -> int:
        """Book what was executed for us and not noticed yet; returns how many fills that were."""
        booked = 0
        for symbol in symbols:
            try:
                booked += await self._sweep(symbol)
            except VenueRejected as error:
                # It does not list the symbol any more, say: that must not keep us from the others.
                log.warning("executions_not_told", symbol=symbol, cause=str(error))
        return booked

    async def _sweep(self, symbol: str) -> int:
        booked = 0
        for _ in range(PAGES_MAX):
            before = await self._scanned_to(symbol)
            page = await self.parts.gateway.executions_after(symbol, before)
            booked += await self._take_page(symbol, page)
            if self._scanned[symbol] == before:
                break
            await self._keep_scanned(symbol)
        return booked

    async def begin_sweeps(self, symbols: Iterable[str]) -> None:
        """Remember which executions were there before our first order: they are not ours."""
        for symbol in symbols:
            try:
                await self._scanned_to(symbol)
            except VenueRejected as error:
                log.warning("executions_not_told", symbol=symbol, cause=str(error))

    async def check_open_orders(self) -> None:
        """Cancel orders of ours that the book thinks are over; name those that are not ours, and let them be."""
        for report in await self.parts.gateway.open_orders():
            order = await self.parts.journal.find(report.client_order_id) if _may_be_ours(report) else None
            if order is None:
                log.warning("stranger_order", client_order_id=report.client_order_id, symbol=report.symbol)
                await self._strange(report, report.ts_ns)
            elif order.state.final:
                log.error("absent_order_appeared", order_id=report.client_order_id, symbol=report.symbol)
                await self.parts.gateway.cancel(report.symbol, report.client_order_id)

    @property
    def balances_are_current(self) -> bool:
        """Whether nothing was booked since the balances were asked for: only then do cash and positions add up."""
        return self._fills_at_balances == self.parts.ledger.portfolio.fills

    @property
    def equity_quote(self) -> Decimal | None:
        """Cash and positions at mark, when both were last of one moment; None until they first were."""
        if self.balances_are_current and self.has_marks():
            self._equity_quote = self.cash.total + self.worth().positions_quote
        return self._equity_quote

    @property
    def drawdown_quote(self) -> Decimal | None:
        """How far the profit lies below its highest; None until that is known, or while something has no mark."""
        if self._peak is None or not self.has_marks():
            return None
        return max(ZERO, self._peak.pnl_quote - self.worth().pnl_quote)

    async def note_profit(self, now_ns: int, mark_age_s_max: Decimal) -> None:
        """Take note of the profit that a day begins with, and of a new highest one, as far as marks are young."""
        young = self.mark_age_s(now_ns) <= mark_age_s_max
        await self._start_day(now_ns, marks_are_young=young)
        if young:
            await self._note_peak(now_ns)

    async def _note_peak(self, now_ns: int) -> None:
        """Small steps are not journaled each."""
        pnl = self.worth().pnl_quote
        if self._peak is None:
            self._peak = await self._load_peak()
        peak = self._peak
        peak.pnl_quote = max(peak.pnl_quote, pnl) if peak.seq else pnl
        step = PEAK_STEP * (self.equity_quote or ZERO)
        if peak.seq == 0 or peak.pnl_quote > peak.journaled_quote + step:
            origin = Origin(attributes={"account": self.parts.who.account})
            event = PEAK_REACHED.new(PeakReached(peak.pnl_quote), now_ns, origin)
            stream = f"peak/{self.parts.who.account}"
            peak.seq = await asyncio.to_thread(self.parts.control.append, stream, [event], expected_seq=peak.seq)
            peak.journaled_quote = peak.pnl_quote

    async def _load_peak(self) -> Peak:
        events = await asyncio.to_thread(self.parts.control.read, f"peak/{self.parts.who.account}")
        if not events:
            return Peak(ZERO, ZERO, 0)
        reached = REGISTRY.read(events[-1]).body
        assert isinstance(reached, PeakReached), "nothing else is in this stream"
        return Peak(reached.pnl_quote, reached.pnl_quote, events[-1].seq)

    def worth(self) -> Worth:
        """All positions at the last marks."""
        return self.parts.ledger.portfolio.worth(self.last_marks())

    def mark(self, symbol: str) -> Decimal | None:
        """The last mark, however old."""
        seen = self.parts.marks.last(symbol)
        return None if seen is None else seen.value

    def grid(self, symbol: str) -> Grid | None:
        """The last known steps, however old: for showing, and for getting out."""
        seen = self.parts.instruments.last(symbol)
        return None if seen is None else seen.value

    def last_marks(self) -> dict[str, Decimal]:
        """Of everything that is held or ordered."""
        positions = (position.symbol for position in self.parts.ledger.portfolio.positions())
        marks = {symbol: self.mark(symbol) for symbol in (*positions, *(p.symbol for p in self.parts.desk.pending()))}
        return {symbol: mark for symbol, mark in marks.items() if mark is not None}

    def has_marks(self) -> bool:
        """Whether everything that is held has a mark."""
        return all(self.mark(symbol) is not None for symbol in self.held())

    def mark_age_s(self, now_ns: int) -> Decimal:
        """Of the oldest mark of what is held; since 1970 if one was never seen, 0 if nothing is held.

        What the venue lists no more has no market that could tell a price: its last mark stays, and does not count
        here.
        """
        seen = [self.parts.marks.last(symbol) for symbol in self.held() - self.unlisted]
        oldest_ns = min((0 if each is None else each.at_ns for each in seen), default=now_ns)
        return Decimal(max(0, now_ns - oldest_ns)) / NANOS_PER_SECOND

    async def refresh_marks(self, age_s_max: float) -> None:
        """Ask the venue for marks of what is held, as far as nobody told them lately. Raises `VenueError`."""
        await self.parts.marks.get(self.held(), age_s_max)

    def held(self) -> set[str]:
        """Symbols of all positions."""
        return {symbol for symbol, _ in self.parts.ledger.quantities()}

    @property
    def day_pnl_quote(self) -> Decimal:
        """Profit since the day's start, realised and unrealised, in quote; 0 before the day was started."""
        return self.worth().pnl_quote - self._day_start_pnl if self._day_ns else ZERO

    async def _start_day(self, now_ns: int, *, marks_are_young: bool) -> None:
        """Journal, once a day (UTC), the profit that the day begins with; waits for young marks."""
        day_ns = floor_ns(now_ns, DAY_NS)
        if self._day_ns == 0:
            await self._load_day()
        if self._day_ns < day_ns and marks_are_young:
            pnl = self.worth().pnl_quote
            origin = Origin(attributes={"account": self.parts.who.account})
            event = DAY_STARTED.new(DayStarted(day_ns, pnl), now_ns, origin)
            stream = f"day/{self.parts.who.account}"
            self._day_seq = await asyncio.to_thread(
                self.parts.control.append, stream, [event], expected_seq=self._day_seq
            )
            self._day_ns, self._day_start_pnl = day_ns, pnl

    async def count_capital(self, now_ns: int) -> None:
        """Write down once what the account begins with: all that it holds, and what of it is its equity here."""
        capital = self.parts.capital
        await capital.load()
        if capital.is_counted:
            return
        quote = self.parts.quote_currency
        marks = {quote: Decimal(1)} | {c: m for c in self.balances if (m := self.mark(f"{c}/{quote}")) is not None}
        held = tuple(Holding(c, self.balances[c].total, marks.get(c)) for c in sorted(self.balances))
        equity = self.cash.total + self.worth().positions_quote
        await capital.count(CapitalCounted(quote, equity, held), now_ns)

    async def write_equity(self, now_ns: int) -> None:
        """A row of what all is worth."""
        worth = self.worth()
        equity = Equity(
            ts_ns=now_ns,
            quote_currency=self.parts.quote_currency,
            cash=self.cash.total,
            positions_quote=worth.positions_quote,
            gross_exposure_quote=worth.gross_quote,
            realised_quote=worth.realised_quote,
            unrealised_quote=worth.unrealised_quote,
            day_pnl_quote=self.day_pnl_quote,
            realised_fifo_quote=worth.realised_fifo_quote,
            funding_quote=worth.funding_quote,
            capital_quote=self.parts.capital.quote,
        )
        for kind, value in (
            ("realised", equity.realised_quote),
            ("unrealised", equity.unrealised_quote),
            ("day", equity.day_pnl_quote),
        ):
            metrics.TRADER_PNL.labels(kind).set(float(value))
        await asyncio.to_thread(self.parts.control.mirror, [equity_row(self.parts.who, equity)])

    async def _load_day(self) -> None:
        events = await asyncio.to_thread(self.parts.control.read, f"day/{self.parts.who.account}")
        if events:
            started = REGISTRY.read(events[-1]).body
            assert isinstance(started, DayStarted), "nothing else is in this stream"
            self._day_ns, self._day_start_pnl = started.day_ns, started.pnl_quote
            self._day_seq = events[-1].seq

    async def _scanned_to(self, symbol: str) -> int:
        """After which execution to look: the last that a sweep of whatever process passed.

        Not the last one booked: an order that was thought absent may have been executed before one that was booked.
        """
        if symbol not in self._scanned:
            next_id = await asyncio.to_thread(self.parts.control.cursor, self._cursor(symbol))
            if next_id:
                self._scanned[symbol] = next_id - 1
            else:
                booked = self.parts.ledger.portfolio.last_fill_id(symbol)
                self._scanned[symbol] = booked or await self.parts.gateway.last_fill_id(symbol)
                await self._keep_scanned(symbol)
        return self._scanned[symbol]

    async def _keep_scanned(self, symbol: str) -> None:
        # The next id, for 0 is what a cursor is that was never kept.
        next_id = self._scanned[symbol] + 1
        await asyncio.to_thread(self.parts.control.advance, self._cursor(symbol), next_id)

    def _cursor(self, symbol: str) -> str:
        return f"executions/{self.parts.who.account}/{symbol}"

    async def _take_page(self, symbol: str, page: Sequence[Execution]) -> int:
        """Book what is ours; ends before an execution that cannot be told yet."""
        booked = 0
        for execution in page:
            if not self.parts.ledger.portfolio.knows(symbol, execution.fill_id):
                found = await self._take(execution)
                if found is None:
                    break
                booked += found
            self._scanned[symbol] = max(self._scanned[symbol], int(execution.fill_id))
        return booked

    async def _take(self, execution: Execution) -> int | None:
        """Book an execution that nobody expected, as ours or as foreign; None while nobody can say which it is."""
        report = await self.parts.gateway.find_order(execution.symbol, venue_order_id=execution.venue_order_id)
        if report is None and self.parts.clock.now_ns() - execution.ts_ns < SHOWN_S_MAX * NANOS_PER_SECOND:
            log.warning("execution_without_order", fill_id=execution.fill_id, symbol=execution.symbol)
            return None
        order = None
        if report is not None and _may_be_ours(report):
            order = await self.parts.journal.find(report.client_order_id)
        if order is not None:
            return await self.parts.desk.booking.book(order, [execution])
        if report is not None:
            await self._strange(report, execution.ts_ns)
        strategy = self.parts.foreign_strategy
        if report is not None and is_forced(report.client_order_id):
            strategy = bearer(execution, self.parts.ledger.portfolio.held(execution.symbol)) or strategy
            log.error("closed_by_force", symbol=execution.symbol, side=execution.side, strategy=strategy)
        log.warning("foreign_execution", fill_id=execution.fill_id, symbol=execution.symbol, strategy=strategy)
        return await self.parts.desk.booking.book_foreign(execution, strategy)

    async def _strange(self, report: OrderReport, ts_ns: int) -> None:
        """Of an order that our journal does not know; a person's own has another form of id."""
        if _may_be_ours(report):
            await self.parts.rivals.saw(report.client_order_id, report.symbol, ts_ns)


def _may_be_ours(report: OrderReport) -> bool:
    return is_ours(report.client_order_id)
