"""The bars of the last two hours, worked out once for all that read them, and no more of them than is new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from analytics.facts import BarKey, BarValues
from analytics.rows import bars_of
from ares.clock import MINUTE_NS, to_datetime
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_int, as_str
from ares.telemetry import get_logger

log = get_logger(__name__)

QUERIES = load_queries("analytics", "queries/recent.sql")
RECENT_BARS = "bars_1m_recent"
WARM_UP_BARS = 120
"""So many bars before the first that is asked for are in the table."""
OVERLAP_MINUTES = 3
"""So many of the bars that were worked out last time are worked out again: trades may be late."""
QUIET_BARS = 60
"""A bar without trades rests on so many before it (see `bars_1m_checked`)."""
RENEWED_MINUTES_MAX = 5
NOW, BY_MINUTE = "now", ("own", "theirs")


class Source(NamedTuple):
    """What bars rest on: whose bars of which minute, or something that all of them rest on (moment 0)."""

    name: str
    ts_ns: int


Basis = Mapping[Source, tuple[int, int]]
"""How often each was, and a sum that tells whether it changed: trades of a minute, say."""


@dataclass(slots=True)
class RecentBars:
    """Keeps `bars_1m_recent` of one venue as `bars_1m_checked` would have it, and the same bars here.

    While nothing that older bars rest on changed (trades, candles, gaps, since when a symbol is known), only the newest
    are worked out. Raises `StoreUnavailable` and `StoreRejected`; the next renewal is then of all.
    """

    database: Database
    venue: str
    _bars: dict[BarKey, BarValues] = field(default_factory=dict)
    _basis: Basis | None = None

    async def renew(self, minutes: int) -> Mapping[BarKey, BarValues]:
        """Work out the bars of so many last minutes and of the longest warm-up before them; returns all of these."""
        before, self._basis = self._basis, None
        scope: dict[str, Param] = {"venue": self.venue, "minutes": minutes + WARM_UP_BARS + QUIET_BARS}
        basis = basis_of(await self.database.fetch(QUERIES["basis"], scope))
        newer_ns = now_of(basis) - (minutes + OVERLAP_MINUTES) * MINUTE_NS
        oldest_ns = now_of(basis) - (minutes + WARM_UP_BARS) * MINUTE_NS
        quick = before is not None and unchanged(before, basis, newer_ns + MINUTE_NS)
        if not (quick and await self._newest(minutes, newer_ns, oldest_ns)):
            log.debug("recent_bars_anew", venue=self.venue, bars=len(self._bars))
            await self._work_out(minutes, WARM_UP_BARS)
            self._bars = await self._read(oldest_ns)
        self._basis = basis
        return self._bars

    async def _newest(self, minutes: int, newer_ns: int, oldest_ns: int) -> bool:
        """Work out the newest bars alone; whether that makes up, with those of before, all that there should be."""
        await self._work_out(minutes + OVERLAP_MINUTES, 0)
        kept = {key: bar for key, bar in self._bars.items() if key.ts_ns >= oldest_ns}
        self._bars = kept | await self._read(newer_ns)
        found = await self.database.fetch_one(QUERIES["count"], {"venue": self.venue, "from": to_datetime(oldest_ns)})
        return found is not None and as_int(found["bars"]) == len(self._bars) and unbroken(self._bars)

    async def _work_out(self, minutes: int, warm_up: int) -> None:
        scope: dict[str, Param] = {"venue": self.venue, "minutes": minutes, "warm_up": warm_up}
        await self.database.execute(QUERIES["work_out"], scope)
        await self.database.wait_applied([RECENT_BARS])

    async def _read(self, from_ns: int) -> dict[BarKey, BarValues]:
        return bars_of(await self.database.fetch(QUERIES["bars"], {"venue": self.venue, "from": to_datetime(from_ns)}))


def basis_of(rows: Sequence[Record]) -> Basis:
    """What was read of it."""
    return {
        Source(as_str(row["source"]), as_int(row["ts_ns"])): (as_int(row["bars"] or 0), as_int(row["sum"] or 0))
        for row in rows
    }


def now_of(basis: Basis) -> int:
    """The server's clock as it was read, UTC ns."""
    return next(source.ts_ns for source in basis if source.name == NOW)


def unchanged(before: Basis, now: Basis, until_ns: int) -> bool:
    """Whether bars that start before a moment, and were worked out not long ago, rest on what they rested on then."""
    since_ns = min((source.ts_ns for source in now if source.name in BY_MINUTE), default=until_ns)

    def older(basis: Basis) -> Basis:
        return {
            source: sums
            for source, sums in basis.items()
            if source.name != NOW and (source.name not in BY_MINUTE or since_ns <= source.ts_ns < until_ns)
        }

    return now_of(now) - now_of(before) < RENEWED_MINUTES_MAX * MINUTE_NS and older(before) == older(now)


def unbroken(keys: Iterable[BarKey]) -> bool:
    """Whether each symbol has every minute between its first and its last."""
    starts: dict[str, list[int]] = {}
    for key in keys:
        starts.setdefault(key.symbol, []).append(key.ts_ns)
    return all((max(each) - min(each)) // MINUTE_NS + 1 == len(each) for each in starts.values())
