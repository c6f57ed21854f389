"""What was promised, and how much of what may go wrong has."""

from __future__ import annotations

from dataclasses import dataclass

from ares_boards import look
from ares_boards.board import Board, Line, headline, line
from ares_boards.panels import bars, bounded, chart, figure, listing
from ares_boards.sources import Prom, Rows


@dataclass(frozen=True)
class Objective:
    """A share of good events that is promised, and the two counters that tell it."""

    title: str
    about: str
    good: str
    all: str
    share: float

    def good_share(self, window: str) -> str:
        """The share of good ones within a window, as an expression."""
        return f"{self.good % window} / {self.all % window}"

    def burn(self, window: str) -> str:
        """How fast what may go wrong is used up: at 1 it lasts exactly as long as it is promised for."""
        return f"(1 - {self.good_share(window)}) / {1 - self.share:.6g}"


def within(title: str, about: str, histogram: str, seconds: str, share: float) -> Objective:
    """Events of a histogram that took no longer than one of its buckets."""
    good = f'sum(rate({histogram}_bucket{{le="{seconds}"}}[%s]))'
    return Objective(title, about, good, f"sum(rate({histogram}_count[%s]))", share)


def outcome(title: str, about: str, counter: str, share: float) -> Objective:
    """Events of a counter whose outcome is ok."""
    return Objective(title, about, f'sum(rate({counter}{{outcome="ok"}}[%s]))', f"sum(rate({counter}[%s]))", share)


OBJECTIVES = (
    within("Ticks stored in 1 s", "From event time to the row, 99 %.", "ares_venue_to_row_seconds", "1.0", 0.99),
    within("Signals in 1 s", "From the watermark, 99 %.", "ares_row_to_signal_seconds", "1.0", 0.99),
    within("Orders in 0.3 s", "From the signal, 99 %.", "ares_signal_to_order_seconds", "0.3", 0.99),
    outcome("Cycles that see the market", "Of trading cycles, 99.5 %.", "ares_trader_cycles_total", 0.995),
)


def now(objective: Objective) -> Line:
    """Its figure, its budget, and both over time."""
    colors = look.steps((objective.share, look.GOOD), base=look.BAD)
    return line(
        figure(
            objective.title,
            objective.about,
            Prom(objective.good_share("$__range"), "share", now=True),
            unit=look.SHARE,
            colors=colors,
        ),
        figure(
            "Of its budget used",
            "Of what may go wrong within the chosen time; 1 is all of it.",
            Prom(objective.burn("$__range"), "used", now=True),
            unit=look.SHARE,
            colors=look.steps((0.5, look.WATCH), (1.0, look.BAD)),
        ),
        bounded(
            chart(
                f"{objective.title}: how fast the budget burns",
                "At 1 it lasts exactly as long as it is promised for; at 14.4 a month's is gone in two days.",
                Prom(objective.burn("5m"), "5 minutes"),
                Prom(objective.burn("1h"), "1 hour", ref_id="B"),
            ),
            (1.0, look.WATCH),
            (14.4, look.BAD),
        ),
    )


SLO = Board(
    uid="ares-slo",
    title="SLO overview",
    question="Is what was promised kept, and how much of what may go wrong has?",
    variables=("venue", "symbol"),
    annotations=("changes",),
    since="now-24h",
    lines=(
        headline(
            figure(
                "Services that answer",
                "Of those that Prometheus asks.",
                Prom("avg(up)", "up", now=True),
                unit=look.SHARE,
                colors=look.steps((0.99, look.WATCH), (1.0, look.GOOD), base=look.BAD),
            ),
            figure(
                "Calls that succeed",
                "Of those that left the processes.",
                Prom(
                    'sum(rate(ares_external_calls_total{outcome="ok"}[$__range])) / '
                    "sum(rate(ares_external_calls_total[$__range]))",
                    "ok",
                    now=True,
                ),
                unit=look.SHARE,
                colors=look.steps((0.99, look.WATCH), (0.995, look.GOOD), base=look.BAD),
            ),
            figure(
                "May trade",
                "Share of the chosen time in which trading was ACTIVE.",
                Prom('avg(avg_over_time(ares_trader_state{state="ACTIVE"}[$__range]))', "active", now=True),
                unit=look.SHARE,
                colors=look.steps((0.99, look.GOOD), base=look.WATCH),
            ),
            figure(
                "Somebody leads",
                "1 while a trader holds the lease of its account.",
                Prom("max(ares_trader_leader)", "leader", now=True),
                colors=look.steps((1.0, look.GOOD), base=look.BAD),
            ),
        ),
        *(now(objective) for objective in OBJECTIVES),
        line(
            bars(
                "Data complete",
                "Share of the chosen time without a gap that was left, by symbol.",
                Rows("slo/data"),
                unit=look.SHARE,
                colors=look.steps((0.999, look.WATCH), (0.9999, look.GOOD), base=look.BAD),
                most=1.0,
            ),
            listing("Recovery", "What was promised, and what is so now.", Rows("slo/objectives")),
        ),
    ),
)
