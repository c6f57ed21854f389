"""Keeps trades whole at a venue that tells only its newest ones: heals breaks, and looks for what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ares.clock import HOUR_NS, Clock
from ares.errors import VenueError, VenueRejected
from ares.model.market import Entry
from ares.resilience import Backoff
from ares.telemetry import get_logger
from ingest.collector import count_gaps
from ingest.desk import Desk
from ingest.feed import Feed, TradePage
from ingest.healing import keep_healing
from ingest.history import SoundHistory, wait_of
from ingest.sink import Sink
from ingest.timed import TimedIntake

log = get_logger(__name__)

POLL_S = 0.1
LOOK_AGAIN_S = 1.0
"""While trades may be missing the venue is asked this often, so that one page reaches back to the one before."""
SETTLED_S = 2.0
"""REST may lag the stream by so much: what it does not list after that, the stream that is back will bring."""
AUDIT_S_MIN = 2.0
AUDIT_S_MAX = 30.0
FIRST_TRADE_S_MAX = 5.0
LOOKS_MAX = 3
"""So often the first page is asked for until it lists a trade that the stream brought."""


@dataclass(slots=True)
class Watch:
    """What the healer remembers of a symbol: since when its stream is back, and when it was audited last."""

    back: tuple[int, float] | None = None
    audited_s: float = 0.0
    audited_trades: int = 0
    page_trades: int = 1

    def settled(self, breaks: int, now_s: float, *, live: bool) -> bool:
        """Whether the stream is back for long enough since it broke for the last of so many times."""
        if not live:
            self.back = None
            return False
        if self.back is None or self.back[0] != breaks:
            self.back = (breaks, now_s)
        return now_s - self.back[1] >= SETTLED_S

    def audit_due(self, streamed: int, now_s: float) -> bool:
        """Whether to look for trades left out: each half page of a busy market, now and then in a quiet one."""
        fresh, waited_s = streamed - self.audited_trades, now_s - self.audited_s
        return fresh > 0 and (waited_s >= AUDIT_S_MAX or (waited_s >= AUDIT_S_MIN and 2 * fresh >= self.page_trades))


@dataclass(slots=True)
class NewestHealer:
    """Makes one venue's trades whole again; one task per symbol.

    What it fetches goes the way of the stream's trades: pages are small, and the order of that one lane is the
    guarantee that a gap is durable before what fills it. It asks while the stream is away, too: pages that overlap
    bridge a break of any length.
    """

    desk: Desk
    feed: Feed
    history: SoundHistory
    live: Sink
    clock: Clock
    watches: dict[str, Watch] = field(default_factory=dict)

    async def run(self, symbol: str, backoff: Backoff) -> None:
        """Heal whenever something is missing, until cancelled."""
        await keep_healing(self.heal, symbol, self.clock, backoff)

    async def heal(self, symbol: str) -> None:
        """Ask for the newest trades if any are missing, or if it is time to see whether they are."""
        intake, watch = self.desk.timed(symbol), self.watches.setdefault(symbol, Watch())
        if intake.tail is not None or intake.gaps:
            if not await self._look(symbol, intake, watch):
                await self.clock.sleep(LOOK_AGAIN_S)
        elif watch.audit_due(intake.streamed, self.clock.monotonic_s()):
            await self._audit(symbol, intake, watch)

    async def _look(self, symbol: str, intake: TimedIntake, watch: Watch) -> bool:
        """Fill what an answer fills; whether nothing is missing any more."""
        settled = watch.settled(intake.breaks, self.clock.monotonic_s(), live=self.feed.is_live("trades"))
        look = intake.looking(settled=settled)
        page = await self._page(symbol, intake)
        rows = intake.fill(page.trades, look, self.clock.now_ns())
        await self._record(rows, page)
        return intake.tail is None and not intake.gaps

    async def _audit(self, symbol: str, intake: TimedIntake, watch: Watch) -> None:
        """Fetch what the stream left out: REST lists it, though the stream has gone on."""
        watch.audited_trades, watch.audited_s = intake.streamed, self.clock.monotonic_s()
        page = await self._page(symbol, intake)
        watch.page_trades = max(1, len(page.trades))
        while self.clock.monotonic_s() - watch.audited_s < AUDIT_S_MIN and intake.tail is None:
            await self.clock.sleep(POLL_S)
        opened = intake.suspect(page.trades, self.clock.now_ns())
        if not opened:
            return
        look = intake.looking(settled=False)
        filled = intake.fill(page.trades, look, self.clock.now_ns())
        log.warning("trades_left_out", symbol=symbol, trades=sum(row.table == "trades" for row in filled))
        await self._record([*opened, *filled], page)

    async def _page(self, symbol: str, intake: TimedIntake) -> TradePage:
        page = await self.history.newest_trades(symbol)
        if intake.is_of_others(page.trades):
            raise VenueRejected("trades", f"REST lists trades of {symbol} by other ids than the stream: none is taken")
        return page

    async def _record(self, rows: Sequence[Entry], page: TradePage) -> None:
        if rows:
            count_gaps(rows)
            await self.live.put([*rows, *[rejected.to_row(self.desk.venue) for rejected in page.rejected]])


@dataclass(slots=True)
class NewestPast:
    """The little past that such a venue tells: the page before the first trade that the stream brought."""

    desk: Desk
    history: SoundHistory
    live: Sink
    clock: Clock

    async def run(self, symbol: str, hours: float, backoff: Backoff) -> int:
        """Fetch back to `hours` ago, or as far as a page reaches; returns how many. Waits while there is no answer."""
        intake = self.desk.timed(symbol)
        await self._begin(symbol, intake, backoff)
        await self.live.drain()  # a gap without a stored trade after it would be nobody's
        horizon_ns = self.clock.now_ns() - round(hours * HOUR_NS)
        for _ in range(LOOKS_MAX):
            page = await self._page(symbol, backoff)
            opened = intake.reach_back(page.trades, horizon_ns, self.clock.now_ns())
            if opened is not None:
                filled = intake.fill(page.trades, intake.looking(settled=False), self.clock.now_ns())
                count_gaps([*opened, *filled])
                await self.live.put([*opened, *filled])
                fetched = sum(row.table == "trades" for row in filled)
                log.info("trades_backfilled", symbol=symbol, trades=fetched, first_seq=intake.first)
                return fetched
            await self.clock.sleep(LOOK_AGAIN_S)
        log.info("history_ends", symbol=symbol, first_seq=intake.first)
        return 0

    async def _begin(self, symbol: str, intake: TimedIntake, backoff: Backoff) -> None:
        """The first live trade begins the account; in a quiet market the venue's newest one does."""
        deadline_s = self.clock.monotonic_s() + FIRST_TRADE_S_MAX
        while intake.last is None and self.clock.monotonic_s() < deadline_s:
            await self.clock.sleep(0.05)
        while intake.last is None:
            page = await self._page(symbol, backoff)
            if page.trades:
                await self.live.put(intake.begin(page.trades[-1], self.clock.now_ns()))
            else:
                await self.clock.sleep(FIRST_TRADE_S_MAX)

    async def _page(self, symbol: str, backoff: Backoff) -> TradePage:
        while True:
            try:
                page = await self.history.newest_trades(symbol)
            except VenueError as error:
                wait_s = wait_of(error, backoff)
                log.warning("backfill_waits", symbol=symbol, cause=str(error), wait_s=wait_s)
                await self.clock.sleep(wait_s)
                continue
            backoff.reset()
            return page
