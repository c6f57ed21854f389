"""Outages of channels without ids: they cannot be fetched again, so they close as lost with their range of time."""

from __future__ import annotations

from ares.model.row import Row
from ingest.feed import Channel
from ingest.gaps import Cause, Gap, Where


class Outages:
    """The open outages of one channel without ids, and the last event of every symbol."""

    def __init__(self, venue: str, channel: Channel) -> None:
        self._venue = venue
        self._channel = channel
        self._last_ts_ns: dict[str, int] = {}
        self._open: dict[str, Gap] = {}

    def resume(self, symbol: str, last_ts_ns: int | None, open_gaps: list[Gap], now_ns: int) -> list[Row]:
        """Continue from what is stored: whatever was sent while we were away is missing."""
        if last_ts_ns is None:
            return []
        self._last_ts_ns[symbol] = last_ts_ns
        rows: list[Row] = []
        for position, gap in enumerate(sorted(open_gaps, key=lambda g: g.started_at_ns)):
            if position == 0:
                self._open[symbol] = gap
            else:  # a later one lies inside the first, which is still open
                rows.append(gap.closed("lost", "", gap.started_at_ns, None).to_row(now_ns))
        return rows or self.interrupted(symbol, "restart", now_ns)

    def interrupted(self, symbol: str, cause: Cause, now_ns: int) -> list[Row]:
        """The stream stopped; nothing to record for a symbol of which nothing ever came."""
        if symbol in self._open or symbol not in self._last_ts_ns:
            return []
        where = Where(self._venue, symbol, self._channel)
        gap = Gap.opened(where, cause, now_ns, self._last_ts_ns[symbol])
        self._open[symbol] = gap
        return [gap.to_row(now_ns)]

    def seen(self, symbol: str, ts_ns: int, now_ns: int) -> list[Row]:
        """Something came: an outage of this symbol is over."""
        self._last_ts_ns[symbol] = max(ts_ns, self._last_ts_ns.get(symbol, 0))
        gap = self._open.pop(symbol, None)
        return [] if gap is None else [gap.closed("lost", "", ts_ns, None).to_row(now_ns)]

    def is_open(self, symbol: str) -> bool:
        """Whether this symbol is without the channel now, or never had it."""
        return symbol in self._open or symbol not in self._last_ts_ns

    @property
    def open_count(self) -> int:
        """How many symbols are without this channel now."""
        return len(self._open)
