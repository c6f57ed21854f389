"""Pages of a venue's past, with what is not plausible set apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ares.clock import Clock
from ares.errors import VenueError, VenueRejected, VenueUnavailable
from ares.model.market import Bar, Funding, Trade
from ares.resilience import Backoff
from ares.telemetry import get_logger, metrics
from ingest.books import BookUpdate
from ingest.contracts import InBase
from ingest.feed import History, Rejected, TradePage, raw_text
from ingest.ranges import Span
from ingest.validation import Fault, Validator, bar_fault

log = get_logger(__name__)

PAGE_TRADES_MAX = 1_000


@dataclass(slots=True)
class SoundHistory:
    """A `History` whose trades passed validation; its validator is not the live one, for prices were others then.

    Amounts are in the base currency, `in_base` turns what the venue counts in contracts.
    """

    source: History
    validator: Validator
    clock: Clock
    in_base: InBase = field(default_factory=InBase)

    async def page(self, symbol: str, span: Span) -> TradePage:
        """The trades of at most a page of ids, none if the venue refuses the question. Raises `VenueUnavailable`."""
        first, last = span
        assert last - first < PAGE_TRADES_MAX
        try:
            page = await self.source.trades(symbol, first, last - first + 1)
        except VenueRejected as error:
            log.warning("history_refused", symbol=symbol, first_seq=first, last_seq=last, cause=str(error))
            return TradePage([])
        sound = self._sound(page)
        return TradePage([trade for trade in sound.trades if first <= trade.seq <= last], sound.rejected)

    async def newest_trades(self, symbol: str) -> TradePage:
        """The newest trades that one answer holds, in order of time and `seq`. Raises `VenueError`."""
        page = self._sound(await self.source.newest_trades(symbol))
        return TradePage(sorted(page.trades, key=lambda trade: (trade.ts_ns, trade.seq)), page.rejected)

    def _sound(self, page: TradePage) -> TradePage:
        sound: list[Trade] = []
        rejected = list(page.rejected)
        now_ns = self.clock.now_ns()
        for trade in map(self.in_base.trade, page.trades):
            fault = self.validator.fault_of(trade, now_ns)
            if fault is not None:
                rejected.append(refused(trade, fault, "trades", now_ns))
            else:
                sound.append(trade)
        return TradePage(sound, rejected)

    async def latest_trade(self, symbol: str) -> Trade | None:
        """The newest trade, or None if there never was one."""
        latest = await self.source.latest_trade(symbol)
        return None if latest is None else self.in_base.trade(latest)

    async def first_since(self, symbol: str, since_ns: int) -> Trade | None:
        """The first trade at or after a moment, None if there is none yet."""
        return await self.source.first_since(symbol, since_ns)

    async def book(self, symbol: str) -> BookUpdate:
        """A snapshot of the book; `VenueRejected` where the venue has them only on its stream."""
        return await self.source.book(symbol)

    async def bars(self, symbol: str, start_ns: int, end_ns: int) -> tuple[list[Bar], list[Rejected]]:
        """Closed candles that start in [start_ns, end_ns), at most 1000, and those that make no sense."""
        sound: list[Bar] = []
        rejected: list[Rejected] = []
        for bar in await self.source.bars(symbol, start_ns, end_ns):
            fault = bar_fault(bar)
            if fault is None:
                sound.append(bar)
            else:
                rejected.append(refused(bar, fault, "bars", self.clock.now_ns()))
        return sound, rejected


def refused(event: Trade | Bar | Funding, fault: Fault, channel: str, now_ns: int) -> Rejected:
    """An implausible piece of history, for the quarantine."""
    metrics.INGEST_QUARANTINED.labels(channel, fault.field).inc()
    return Rejected(channel, fault.field, fault.reason, raw_text(repr(event)), now_ns, event.symbol)


def pages(first: int, last: int) -> list[Span]:
    """Pages of at most `PAGE_TRADES_MAX` ids, the newest first."""
    return [(max(first, high - PAGE_TRADES_MAX + 1), high) for high in range(last, first - 1, -PAGE_TRADES_MAX)]


def wait_of(error: VenueError, backoff: Backoff) -> float:
    """How long to wait before asking again: our own patience, or the venue's wish where that is longer."""
    wished_s = error.retry_after_s if isinstance(error, VenueUnavailable) else None
    return max(backoff.next_wait_s(), wished_s or 0.0)


def absent_of(span: Span, present: Sequence[int]) -> list[Span]:
    """Ranges of ids between `span`'s first and last that are not in `present`, which is sorted."""
    absent: list[Span] = []
    expected = span[0]
    for seq in present:
        if seq > expected:
            absent.append((expected, seq - 1))
        expected = seq + 1
    if expected <= span[1]:
        absent.append((expected, span[1]))
    return absent
