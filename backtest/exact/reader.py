"""`MarketReader` over what is played: signals as they became known, and the market's price as a quote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from ares.clock import NANOS_PER_SECOND
from backtest.exact.market import Tape
from backtest.exact.venue import Venue
from backtest.outcome import Ints
from backtest.tape import BarsAndSignals, Signals
from trader.reader import SIGNALS_S, TRADES_S, MarketSeen, QuoteSeen, SignalSeen

Name = tuple[str, int]
"""(strategy, version)"""


@dataclass(slots=True)
class Said:
    """The signals of one symbol: how far they were read, and the newest of them by its bar."""

    signals: Signals
    next: int = 0
    newest: SignalSeen | None = None

    def read_to(self, now_ns: int) -> None:
        """Take note of all that was known by then; of two the one of the later bar counts, or else the later said."""
        s = self.signals
        while self.next < len(s.known_at) and s.known_at[self.next] <= now_ns:
            i, self.next = self.next, self.next + 1
            if self.newest is None or s.ts[i] >= self.newest.ts_ns:
                self.newest = SignalSeen(int(s.ts[i]), int(s.known_at[i]), _known(s.target[i]), _known(s.confidence[i]))


class PlayedReader:
    """Tells of nothing that was not known at the moment it is asked for."""

    def __init__(self, name: Name, venue: Venue, quote_stands_s: float) -> None:
        self._name = name
        self._venue = venue
        self._stands_ns = round(quote_stands_s * NANOS_PER_SECOND)
        self._said: dict[str, Said] = {}

    def load(self, stretch: BarsAndSignals) -> None:
        """Go on with the next stretch; what was said before stays known."""
        for symbol, signals in stretch.signals.items():
            before = self._said.get(symbol)
            self._said[symbol] = Said(signals, newest=None if before is None else before.newest)

    async def read(self, now_ns: int) -> MarketSeen:
        self._venue.play(now_ns)
        priced = {symbol: tape for symbol, tape in self._venue.tapes.items() if tape.is_priced}
        return MarketSeen(
            self._signals(now_ns),
            {symbol: self._quote(tape, now_ns) for symbol, tape in priced.items()},
            self._trades(priced, now_ns),
        )

    async def newest_signal_ns(self, now_ns: int) -> int:
        return max((seen.known_at_ns for seen in self._signals(now_ns).values()), default=0)

    async def close(self) -> None:
        """Nothing to let go."""

    def _signals(self, now_ns: int) -> dict[tuple[str, int, str], SignalSeen]:
        since_ns = now_ns - SIGNALS_S * NANOS_PER_SECOND
        for said in self._said.values():
            said.read_to(now_ns)
        return {
            (*self._name, symbol): said.newest
            for symbol, said in self._said.items()
            if said.newest is not None and said.newest.ts_ns >= since_ns
        }

    def _quote(self, tape: Tape, now_ns: int) -> QuoteSeen:
        """One that was recorded is as old as it is; a trade stands for one for a while, then that ages too."""
        quoted = tape.quoted()
        seen_ns = min(now_ns, tape.price_ns + self._stands_ns) if quoted is None else quoted.ts_ns
        return QuoteSeen(tape.bid(), tape.ask(), seen_ns)

    def _trades(self, priced: Mapping[str, Tape], now_ns: int) -> dict[str, Decimal]:
        since_ns = now_ns - TRADES_S * NANOS_PER_SECOND
        return {symbol: tape.price for symbol, tape in priced.items() if tape.price and tape.price_ns > since_ns}


def moments(stretch: BarsAndSignals, decide_s: float) -> list[int]:
    """When something is to be decided within a stretch: each signal once it was known, and read."""
    known: list[Ints] = [each.known_at for each in stretch.signals.values()]
    merged = np.unique(np.concatenate(known)) if known else np.empty(0, dtype=np.int64)
    return [int(ns) for ns in merged + round(decide_s * NANOS_PER_SECOND)]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
