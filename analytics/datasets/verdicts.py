"""What a version of a dataset is worth: whether its minutes are there, and what the checks said of its span. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from analytics.datasets.events import Judged
from ares.clock import MINUTE_NS

GAP = "gap"
GRADES = ("ok", "warn", "fail")
UNKNOWN = "unknown"
NOT_OK_MAX = 20
"""So many checks that were not ok are named."""


class BarState(NamedTuple):
    """A bar, and whether it is traded, quiet or a gap."""

    symbol: str
    ts_ns: int
    status: str


class Grade(NamedTuple):
    """The newest result of a check; symbol '' is of frames whose symbol is not known."""

    check: str
    symbol: str
    channel: str
    grade: str


def judged(
    bars: Collection[BarState], span: tuple[int, int], open_gaps: Mapping[str, int], grades: Iterable[Grade]
) -> Judged:
    """The verdict on the bars of a span (UTC ns, the end excluded); `open_gaps` counts, for each symbol, gaps in it."""
    gap_bars = sum(bar.status == GAP for bar in bars)
    wanted = len(open_gaps) * ((span[1] - span[0]) // MINUTE_NS)
    missing = wanted - len({(bar.symbol, bar.ts_ns) for bar in bars})
    unhealed = sum(open_gaps.values())
    relevant = [each for each in grades if not each.symbol or each.symbol in open_gaps]
    worst = max((each.grade for each in relevant), key=GRADES.index, default=UNKNOWN)
    not_ok = [f"{e.grade} {e.check} {e.symbol} {e.channel}".rstrip() for e in relevant if e.grade != GRADES[0]]
    gaps = "gaps" if gap_bars or missing or unhealed else "whole"
    return Judged(gaps if bars else UNKNOWN, unhealed, gap_bars, missing, worst, sorted(not_ok)[:NOT_OK_MAX])
