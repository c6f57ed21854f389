"""How an order comes about, how long each step takes and what its execution costs."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import TextBoxVariable

from ares_boards import look
from ares_boards.board import Board, headline, line
from ares_boards.panels import bars, bounded, chart, figure, listing, points, stacked
from ares_boards.sources import Prom, Rows, Series, quantile, quantiles

STEPS = (
    ("1 venue to row", "ares_venue_to_row_seconds"),
    ("2 row to signal", "ares_row_to_signal_seconds"),
    ("3 signal to order", "ares_signal_to_order_seconds"),
)
"""From the tick to the order, in the order in which they happen, each with its histogram."""
WATERFALL = " or ".join(
    f"label_replace({quantile(0.95, histogram, '$__range')}, 'step', '{step}', '', '')" for step, histogram in STEPS
)
LATE = look.steps((0.25, look.WATCH), (1.0, look.BAD))

FLOW = Board(
    uid="ares-flow",
    title="Order flow & latency",
    question="How long does it take from a tick to an order, what does execution cost, and what went wrong?",
    variables=("account", "venue", "symbol", "strategy"),
    annotations=("fills", "changes", "halts"),
    more=(TextBoxVariable("trace").label("Trace").default_value(""),),
    lines=(
        headline(
            figure(
                "Signal to order, p99",
                "From a signal's knowledge time to its order's way out.",
                Prom(quantile(0.99, "ares_signal_to_order_seconds"), "p99"),
                unit=look.SECONDS,
                colors=LATE,
            ),
            figure(
                "Orders of unknown outcome",
                "Nobody can say yet whether they stand; they count at their worst.",
                Prom('sum(ares_trader_orders_open{state="UNKNOWN"}) or vector(0)', "unknown", now=True),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Cycles that failed",
                "Trading cycles a second that could not read the market.",
                Prom(
                    'sum(rate(ares_trader_cycles_total{outcome!="ok"}[$__rate_interval])) or vector(0)',
                    "failed",
                    now=True,
                ),
                unit=look.PER_SECOND,
                colors=look.steps((0.001, look.BAD)),
            ),
            figure(
                "Calls blocked",
                "Parties that are not asked any more because they failed.",
                Prom('sum(ares_breaker_state{state="open"}) or vector(0)', "open", now=True),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
        ),
        line(
            bars(
                "From the tick to the order, 95 of 100 are faster",
                "The steps in the order in which they happen, all of them measured.",
                Prom(WATERFALL, "{{step}}", now=True),
                unit=look.SECONDS,
                colors=LATE,
            ),
            listing("Steps of recorded traces", "Where the time goes, by step.", Rows("flow/waterfall")),
        ),
        line(
            bounded(
                chart(
                    "Row to signal",
                    "From the watermark to signals.",
                    *quantiles("ares_row_to_signal_seconds"),
                    unit=look.SECONDS,
                ),
                (1.0, look.BAD),
            ),
            bounded(
                chart(
                    "Signal to order",
                    "To the order's way out.",
                    *quantiles("ares_signal_to_order_seconds"),
                    unit=look.SECONDS,
                ),
                (0.25, look.BAD),
            ),
            points("Answer of the venue", "From sending an order to its word.", Series("flow/ack"), unit=look.SECONDS),
        ),
        line(
            points(
                "Slippage",
                "Cost of executions beyond the mark at their decision; below 0: better than it.",
                Series("flow/slippage"),
                unit=look.BIPS,
            ),
            chart(
                "Shortfall of plans",
                "What plans paid more than the mark at their decision, the median by policy; without fees.",
                Prom(quantile(0.5, "ares_trader_shortfall_bips", by=("policy",)), "{{policy}}"),
                unit=look.BIPS,
            ),
        ),
        line(
            stacked("Steps of orders", "By the state they led to.", Series("flow/steps")),
            listing("Orders that came to nothing", "Rejected, not sent, not executed, unknown.", Rows("flow/failed")),
        ),
        line(
            listing("Plans", "Decisions that were carried out in several orders.", Rows("flow/plans")),
            chart("Trading cycle", "Its duration.", *quantiles("ares_trader_cycle_seconds"), unit=look.SECONDS),
        ),
        line(
            chart(
                "Calls that left the process, p95",
                "By party and operation.",
                Prom(
                    quantile(0.95, "ares_external_call_seconds", by=("guard", "operation")), "{{guard}} {{operation}}"
                ),
                unit=look.SECONDS,
            ),
            stacked(
                "Calls that failed",
                "By party and outcome.",
                Prom(
                    'sum by (guard, outcome) (increase(ares_external_calls_total{outcome!="ok"}[$__rate_interval]))',
                    "{{guard}} {{outcome}}",
                ),
            ),
        ),
        line(
            listing("Slowest steps", "Follow a trace_id to the whole way.", Rows("flow/slowest")),
            listing("The chosen trace", "Its steps, from the tick on.", Rows("flow/trace")),
        ),
    ),
)
