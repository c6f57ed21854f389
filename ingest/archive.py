"""Which trades are too old for `trades` and go to `trades_archive`, where no bar sees them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import msgspec

from ares.clock import DAY_NS
from ares.model.market import ArchivedRun, ArchivedTrade, Entry, Trade, TradeRun


def kept_from_ns(now_ns: int, retention_days: int) -> int:
    """Trades before this moment (UTC ns) are older than `trades` keeps; 0 where it keeps all (`retention_days` 0)."""
    return max(0, now_ns - retention_days * DAY_NS) if retention_days > 0 else 0


def archived(entries: Sequence[Entry], before_ns: int) -> Sequence[Entry]:
    """The same entries in the same order; trades of a time before `before_ns` (UTC ns) go to the archive."""
    if before_ns <= 0:
        return entries
    routed: list[Entry] = []
    for entry in entries:
        if isinstance(entry, TradeRun):
            routed += _split(entry, before_ns)
        elif isinstance(entry, Trade) and entry.ts_ns < before_ns:
            routed.append(ArchivedTrade(*msgspec.structs.astuple(entry)))
        else:
            routed.append(entry)
    return routed


def _split(run: TradeRun, before_ns: int) -> list[TradeRun]:
    """A run as what is old of it and what is not."""
    old = [ts_ns < before_ns for ts_ns in run.times_ns]
    if not any(old):
        return [run]
    if all(old):
        return [ArchivedRun(*msgspec.structs.astuple(run))]
    young = [not each for each in old]
    return [ArchivedRun(*msgspec.structs.astuple(chosen(run, old))), chosen(run, young)]


def chosen(run: TradeRun, wanted: Sequence[bool]) -> TradeRun:
    """The trades of a run that are wanted, in order."""
    return TradeRun(
        run.venue,
        run.symbol,
        run.source,
        list(compress(run.seqs, wanted)),
        list(compress(run.sides, wanted)),
        list(compress(run.prices, wanted)),
        list(compress(run.amounts, wanted)),
        list(compress(run.times_ns, wanted)),
        list(compress(run.receipts_ns, wanted)),
    )
