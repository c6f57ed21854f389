"""The asking side of any venue: its words over ccxt's raw endpoints, guarded. No detour through unified ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from ares.clock import HOUR_NS, MINUTE_NS, Clock
from ares.config.settings import VenueConfig
from ares.errors import MalformedFrame, VenueRejected, VenueUnavailable
from ares.model.market import Bar, Funding, Trade
from ares.resilience import Guard, GuardPolicy, to_the_end
from ingest.books import BookUpdate
from ingest.capture.records import Answer
from ingest.capture.tap import NO_TAP, Tap
from ingest.feed import Channel, Rejected, TradePage, raw_text
from ingest.venues.budget import Pacer
from ingest.venues.client import RestClient, ask, create_client
from ingest.venues.paging import Moment, Search
from ingest.venues.rest import Asked, FundingWords, Question, RestWords

T = TypeVar("T")

QUESTIONS_MAX = 60
"""In search of one trade by time: with halving alone so many would find a nanosecond in thirty years."""

FUNDING_HOURS_MIN = 1
"""The shortest time between two payments of a perpetual at any venue."""


class RestHistory:
    """A venue's past and its snapshots. Needs no markets: symbols are told here."""

    def __init__(
        self,
        venue: str,
        words: RestWords,
        config: VenueConfig,
        venue_symbols: Mapping[str, str],
        clock: Clock,
        *,
        client: RestClient | None = None,
    ) -> None:
        self._venue = venue
        self._words = words
        self._venue_symbols = venue_symbols
        self._clock = clock
        self._client: RestClient = client or create_client(words, config)
        self._deadline_s = config.request_timeout_s * 2
        self._guard = Guard(f"{venue}-history", clock, GuardPolicy(deadline_s=self._deadline_s))
        self._pacer: Pacer | None = None
        self._marks: dict[str, tuple[int, int]] = {}
        self.tap: Tap = NO_TAP

    def pace(self, per_minute: float) -> None:
        """Ask at most so often from now on, evenly; who asks tries again himself, or the bound would not hold."""
        self._pacer = Pacer(per_minute, self._clock)
        self._guard = Guard(self._guard.name, self._clock, GuardPolicy(deadline_s=self._deadline_s, attempts_max=1))

    async def trades(self, symbol: str, from_seq: int, count: int) -> TradePage:
        """Trades with ids from `from_seq` on, at most `count`, in order. Raises `VenueUnavailable`, `VenueRejected`."""
        if self._words.paging == "time":
            return await self._trades_by_time(symbol, from_seq, count)
        if self._words.paging == "newest":
            page = await self._page("trades", self._words.trades(self._venue_symbols[symbol], 0, count), symbol)
            return within(page, from_seq, count)
        pages: list[TradePage] = []
        end = from_seq + count
        while from_seq < end:
            part = min(end - from_seq, self._words.page_trades_max)
            question = self._words.trades(self._venue_symbols[symbol], from_seq, part)
            page = await self._page("trades", question, symbol)
            pages.append(within(page, from_seq, part))
            from_seq += part
        return joined(pages)

    async def latest_trade(self, symbol: str) -> Trade | None:
        """The newest trade, or None if there never was one."""
        page = await self._page("latest_trade", self._words.latest_trade(self._venue_symbols[symbol]), symbol)
        return max(page.trades, key=self._place, default=None)

    def _place(self, trade: Trade) -> tuple[int, int]:
        """Where a trade stands among others: by time where only the newest are told, for their ids may say nothing."""
        return (trade.ts_ns if self._words.paging == "newest" else 0, trade.seq)

    async def newest_trades(self, symbol: str) -> TradePage:
        """As many of the newest trades as one answer holds. Raises `VenueUnavailable`, `VenueRejected`."""
        question = self._words.trades(self._venue_symbols[symbol], 0, self._words.page_trades_max)
        return await self._page("trades", question, symbol)

    async def first_since(self, symbol: str, since_ns: int) -> Trade | None:
        """The first trade at or after a moment, None if there is none yet. Raises as `trades`."""
        latest = await self.latest_trade(symbol)
        if latest is None or latest.ts_ns < since_ns:
            return None
        if self._words.paging == "newest":
            raise VenueRejected("history", f"{self._venue} lists only its newest trades, not those of a range of time")
        if self._words.paging == "time":
            page = await self._since(symbol, since_ns - 1)
            return next((trade for trade in page.trades if trade.ts_ns >= since_ns), latest)
        search = Moment(since_ns, latest, self._words.page_trades_max)
        for _ in range(QUESTIONS_MAX):
            ids = search.next_ids()
            if ids is None:
                return search.high
            page = await self.trades(symbol, *ids)
            search.saw(*ids, page.trades)
        raise VenueUnavailable(f"{self._venue}: no trade of {symbol} found at {since_ns} in {QUESTIONS_MAX} questions")

    async def bars(self, symbol: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """The venue's closed one-minute candles that start in [start_ns, end_ns), in order."""
        bars: dict[int, Bar] = {}
        step_ns = self._words.page_bars_max * MINUTE_NS
        for first_ns in range(start_ns, end_ns, step_ns):
            last_ns = min(end_ns, first_ns + step_ns)
            answer = await self._ask("bars", self._words.bars(self._venue_symbols[symbol], first_ns, last_ns))
            for bar in self._read(self._words.read_bars, answer, symbol):
                if first_ns <= bar.ts_ns and bar.ts_ns + MINUTE_NS <= last_ns:
                    bars[bar.ts_ns] = bar
        return [bars[ts_ns] for ts_ns in sorted(bars)]

    async def book(self, symbol: str) -> BookUpdate:
        """A snapshot of the book. Raises `VenueUnavailable`, `VenueRejected`."""
        question = self._words.book(self._venue_symbols[symbol])
        if question is None:
            raise VenueRejected("book", f"{self._venue} sends its snapshots on the stream")
        answer = await self._ask("book", question)
        self._tell("book", question, answer, self._asked(symbol))
        return self._read(self._words.read_book, answer, symbol)

    async def funding(self, symbol: str, start_ns: int, end_ns: int) -> Sequence[Funding]:
        """The rates that were settled in [start_ns, end_ns), in order. Raises `VenueRejected` where there are none."""
        words = self._words
        if not isinstance(words, FundingWords):
            raise VenueRejected("funding", f"{self._venue} has no perpetuals")
        settled: dict[int, Funding] = {}
        step_ns = (words.page_funding_max - 1) * FUNDING_HOURS_MIN * HOUR_NS
        for first_ns in range(start_ns, end_ns, step_ns):
            last_ns = min(end_ns, first_ns + step_ns)
            answer = await self._ask("funding", words.funding(self._venue_symbols[symbol], first_ns, last_ns))
            for funding in self._read(words.read_funding, answer, symbol):
                if first_ns <= funding.ts_ns < last_ns:
                    settled[funding.ts_ns] = funding
        return [settled[ts_ns] for ts_ns in sorted(settled)]

    async def close(self) -> None:
        """Let go of the connection."""
        await to_the_end(self._client.close())

    async def _trades_by_time(self, symbol: str, from_seq: int, count: int) -> TradePage:
        """Search the moment of the first id, then read on from there."""
        latest = await self.latest_trade(symbol)
        if latest is None or latest.seq < from_seq:
            return TradePage([])
        low = self._marks.get(symbol, (0, 0))
        search = Search(
            from_seq, low if low[0] < from_seq else (0, 0), (latest.seq, latest.ts_ns), self._words.page_trades_max
        )
        pages: list[TradePage] = []
        for _ in range(QUESTIONS_MAX):
            since_ns = search.next_since_ns()
            if since_ns is None:
                since_ns = search.low[1]
                pages = [await self._since(symbol, since_ns)]
                break
            page = await self._since(symbol, since_ns)
            if search.saw(since_ns, page.trades):
                pages = [page]
                break
        self._marks[symbol] = search.low
        while pages and pages[-1].trades and pages[-1].trades[-1].seq < min(from_seq + count - 1, latest.seq):
            page = await self._since(symbol, pages[-1].trades[-1].ts_ns - 1)
            if not page.trades or page.trades[-1].seq <= pages[-1].trades[-1].seq:
                break
            pages.append(page)
        return within(joined(pages), from_seq, count)

    async def _since(self, symbol: str, since_ns: int) -> TradePage:
        question = self._words.trades(self._venue_symbols[symbol], since_ns, self._words.page_trades_max)
        return await self._page("trades", question, symbol)

    async def _page(self, operation: str, question: Question, symbol: str) -> TradePage:
        answer = await self._ask(operation, question)
        asked = self._asked(symbol)
        self._tell(operation, question, answer, asked)
        return self._read(lambda said, _: page_of(self._words, said, asked), answer, symbol)

    def _tell(self, operation: str, question: Question, answer: object, asked: Asked) -> None:
        channel: Channel = "books" if operation == "book" else "trades"
        params = dict(question.params)
        said = Answer(operation, asked.symbol, asked.venue_symbol, question.endpoint, params, answer)
        self.tap.answered(channel, said, asked.received_at_ns)

    def _asked(self, symbol: str) -> Asked:
        return Asked(self._venue, symbol, self._venue_symbols[symbol], self._clock.now_ns())

    def _read(self, read: Callable[[object, Asked], T], answer: object, symbol: str) -> T:
        """What an answer says; one that makes no sense is not from the venue (a proxy's page, say)."""
        try:
            return read(answer, self._asked(symbol))
        except MalformedFrame as error:
            raise VenueUnavailable(f"the answer of {self._venue} on {symbol} makes no sense: {error}") from None

    async def _ask(self, operation: str, question: Question) -> object:
        if self._pacer is not None:
            await self._pacer.turn()
        return await self._guard.call(operation, partial(ask, self._client, question), idempotent=True)


def page_of(words: RestWords, answer: object, asked: Asked) -> TradePage:
    """The trades in an answer, and what of it is not understood. Raises `MalformedFrame` if that is all of it."""
    trades: list[Trade] = []
    rejected: list[Rejected] = []
    for row in words.rows_of(answer):
        try:
            trades.append(words.read_trade(row, asked))
        except MalformedFrame as error:
            now_ns = asked.received_at_ns
            rejected.append(Rejected("trades", error.field, str(error), raw_text(row), now_ns, asked.symbol))
    return TradePage(in_order(trades), rejected)


def within(page: TradePage, from_seq: int, count: int) -> TradePage:
    """Of a page, the trades with `count` ids from `from_seq` on."""
    return TradePage([trade for trade in page.trades if from_seq <= trade.seq < from_seq + count], page.rejected)


def joined(pages: Sequence[TradePage]) -> TradePage:
    """Pages as one, each trade once, in order of id."""
    trades = in_order([trade for page in pages for trade in page.trades])
    return TradePage(trades, [one for page in pages for one in page.rejected])


def in_order(trades: Sequence[Trade]) -> list[Trade]:
    """Each trade once, by id."""
    by_id = {trade.seq: trade for trade in trades}
    return [by_id[seq] for seq in sorted(by_id)]
