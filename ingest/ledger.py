"""What the store acknowledged, and up to which event time nothing is outstanding: the watermark. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ares.clock import MINUTE_NS, NANOS_PER_SECOND, floor_ns
from ares.model.market import Entry, Trade, TradeRun, size
from ares.model.row import Row, Storable, UtcNs

QUIET_S = 1.0
"""A live stream without a trade for this long is quiet: the venue's clock moves the watermark."""
SKEW_S = 0.02
"""So much later than the quickest frame of another channel a trade of the same moment may arrive. Where one comes later
still it is stored all the same, and `analytics.lateness_s_max` is what keeps it from coming too late for its bar."""
WINDOW_S = 60.0
OUTSTANDING_MAX = 10_000
"""Of so many runs it is known one by one what they hold back; while a store is away, later ones count as one."""


@dataclass(slots=True)
class VenueTime:
    """The venue's clock as we see it: how much later than its event time the quickest frame of late arrived.

    The delay holds transit and the difference of the clocks (negative where ours is behind), so `now - delay` is
    never ahead of the venue's own clock. Two windows, so that a clock that was set is believed after a minute or two.
    """

    current_ns: int | None = None
    previous_ns: int | None = None
    window_started_ns: int = 0
    heard_at_ns: int = 0
    """When the newest frame of any channel arrived, by our clock."""

    def hear(self, received_at_ns: int) -> None:
        """A frame arrived; whether it says when it was sent or not, the venue was there."""
        self.heard_at_ns = max(self.heard_at_ns, received_at_ns)

    def observe(self, event_ts_ns: int, received_at_ns: int) -> None:
        """A frame of this event time arrived."""
        self.hear(received_at_ns)
        if received_at_ns - self.window_started_ns > WINDOW_S * NANOS_PER_SECOND:
            self.previous_ns, self.current_ns = self.current_ns, None
            self.window_started_ns = received_at_ns
        delay_ns = received_at_ns - event_ts_ns
        self.current_ns = delay_ns if self.current_ns is None else min(self.current_ns, delay_ns)

    def now_ns(self, our_now_ns: int) -> int | None:
        """The venue's clock now, at most; None before the first frame."""
        known = [delay for delay in (self.current_ns, self.previous_ns) if delay is not None]
        return our_now_ns - min(known) if known else None


@dataclass(slots=True)
class Account:
    """One symbol's trades on their way: put into the queue, acknowledged, and the time they stand for."""

    outstanding: OrderedDict[int, int] = field(default_factory=OrderedDict)
    """What is put and not acknowledged: sequence number of a run's last trade → the event time of its first."""
    acked: int = 0
    acked_history: int = 0
    acked_ts_ns: int = 0
    acked_seq: int = 0
    watermark_ns: int = 0
    published_ns: int = 0
    last_trade_received_ns: int = 0
    backfilled_to_ns: int | None = None


@dataclass(slots=True)
class Ledger:
    """The accounts of one venue's symbols; a watermark only grows, across processes too (`resume`)."""

    venue: str
    symbols: Sequence[str]
    venue_time: VenueTime = field(default_factory=VenueTime)
    accounts: dict[str, Account] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for symbol in self.symbols:
            self.accounts[symbol] = Account()

    def resume(self, symbol: str, watermark_ns: int, last_seq: int) -> None:
        """Start from what was published and stored before."""
        account = self.accounts[symbol]
        account.watermark_ns = max(account.watermark_ns, watermark_ns)
        account.acked_seq = max(account.acked_seq, last_seq)

    def put(self, symbol: str, received_at_ns: int, seq: int, first_ts_ns: int) -> None:
        """Trades of the stream are about to enter the queue: a run by the number of its last, the time of its first."""
        account = self.accounts[symbol]
        if len(account.outstanding) >= OUTSTANDING_MAX:
            _, first_ts_ns = account.outstanding.popitem()
        account.outstanding[seq] = first_ts_ns
        account.last_trade_received_ns = received_at_ns

    def acked(self, rows: Iterable[Entry]) -> None:
        """The store has these rows of the stream."""
        for row in rows:
            if isinstance(row, TradeRun):
                self._acked(self.accounts[row.symbol], len(row), max(row.times_ns), row.seqs[-1])
            elif isinstance(row, Trade) and row.source == "stream":
                self._acked(self.accounts[row.symbol], 1, row.ts_ns, row.seq)

    def _acked(self, account: Account, count: int, ts_ns: int, seq: int) -> None:
        account.acked += count
        if seq in account.outstanding:  # in the order in which they were put
            while account.outstanding.popitem(last=False)[0] != seq:
                continue
        account.acked_ts_ns = max(account.acked_ts_ns, ts_ns)
        account.acked_seq = max(account.acked_seq, seq)

    def refused(self, row: Storable) -> None:
        """The store will never have this row; it is recorded elsewhere and no longer outstanding."""
        if isinstance(row, Trade) and row.source == "stream":
            self.accounts[row.symbol].outstanding.pop(row.seq, None)

    def acked_from_history(self, rows: Iterable[Entry]) -> None:
        """The store has these rows of the past; they move no watermark."""
        for row in rows:
            if isinstance(row, Trade | TradeRun):
                self.accounts[row.symbol].acked_history += size(row)

    def history_is_whole(self, symbol: str, first_ts_ns: int) -> None:
        """Everything from the horizon of the backfill up to now's watermark is stored, or recorded as lost."""
        account = self.accounts[symbol]
        account.backfilled_to_ns = max(first_ts_ns, account.watermark_ns)

    def advance(self, symbol: str, now_ns: int, *, complete: bool) -> int:
        """The watermark now. `complete`: the stream is live and no hole is open at its end."""
        account = self.accounts[symbol]
        candidate = account.acked_ts_ns
        heard_ns = self.venue_time.now_ns(self.venue_time.heard_at_ns)
        if complete and heard_ns is not None:
            heard_ns -= round(SKEW_S * NANOS_PER_SECOND)
            oldest_ns = next(iter(account.outstanding.values()), None)
            candidate = max(candidate, heard_ns if oldest_ns is None else min(heard_ns, oldest_ns - 1))
        venue_now_ns = self.venue_time.now_ns(now_ns)
        quiet_ns = round(QUIET_S * NANOS_PER_SECOND)
        is_quiet = complete and not account.outstanding and now_ns - account.last_trade_received_ns >= quiet_ns
        if is_quiet and venue_now_ns is not None:
            candidate = max(candidate, venue_now_ns - quiet_ns)
        account.watermark_ns = max(account.watermark_ns, candidate)
        return account.watermark_ns

    def closes_a_bar(self, now_ns: int, complete: Iterable[str], lateness_ns: int) -> bool:
        """Whether a watermark has passed a minute's end and its lateness since it was published: a bar waits for it."""
        whole = set(complete)
        return any(
            floor_ns(self.advance(symbol, now_ns, complete=symbol in whole) - lateness_ns, MINUTE_NS)
            > floor_ns(account.published_ns - lateness_ns, MINUTE_NS)
            for symbol, account in self.accounts.items()
        )

    def rows(self, now_ns: int, complete: Iterable[str]) -> list[Row]:
        """What there is to publish: the live watermark of every symbol that has one, and how far history reaches."""
        whole = set(complete)
        rows: list[Row] = []
        for symbol, account in self.accounts.items():
            watermark_ns = self.advance(symbol, now_ns, complete=symbol in whole)
            account.published_ns = watermark_ns
            if watermark_ns > 0:
                rows.append(self._row(now_ns, symbol, "trades", watermark_ns, account.acked))
            if account.backfilled_to_ns is not None:
                rows.append(self._row(now_ns, symbol, "backfill", account.backfilled_to_ns, account.acked_history))
        return rows

    def _row(self, now_ns: int, symbol: str, channel: str, watermark_ns: int, acked: int) -> Row:
        return Row(
            "ingest_watermarks",
            now_ns,
            {"venue": self.venue, "symbol": symbol, "channel": channel},
            {"watermark": UtcNs(watermark_ns), "last_seq": self.accounts[symbol].acked_seq, "acked_rows": acked},
        )
