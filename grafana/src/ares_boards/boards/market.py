"""Whether what the market says arrives whole and in time."""

from __future__ import annotations

from ares_boards import look
from ares_boards.board import Board, headline, line
from ares_boards.panels import bounded, chart, figure, listing, stacked
from ares_boards.sources import Prom, Rows, Series, quantiles

MARKET = Board(
    uid="ares-market",
    title="Market data",
    question="Does what the venues say arrive whole and in time, by venue and symbol?",
    variables=("venue", "symbol"),
    annotations=("changes",),
    lines=(
        headline(
            figure(
                "Staler than usual",
                "Streams that have been silent for longer than is usual for them.",
                Prom(
                    "count(ares_ingest_freshness_seconds > ares_ingest_freshness_limit_seconds) or vector(0)",
                    "stale",
                    now=True,
                ),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Gaps not healed", "Missing ranges.", Rows("market/gaps_open"), colors=look.steps(*look.NOTHING_ALLOWED)
            ),
            figure(
                "Checks that fail",
                "Of stored data, their newest results.",
                Rows("market/checks_failed"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Rows a second",
                "That QuestDB acknowledged.",
                Prom("sum(rate(ares_ingest_rows_total[$__rate_interval]))", "rows"),
                unit=look.PER_SECOND,
            ),
        ),
        line(
            chart("Trades a minute", "Public trades.", Series("market/trades")).interval("1m"),
            chart(
                "Rows by table",
                "That QuestDB acknowledged, a second.",
                Prom("sum by (table) (rate(ares_ingest_rows_total[$__rate_interval]))", "{{table}}"),
                unit=look.PER_SECOND,
            ),
        ),
        line(
            bounded(
                chart(
                    "From the venue to the row",
                    "From event time to the acknowledgement, of each batch's oldest trade; red: what is promised.",
                    *quantiles("ares_venue_to_row_seconds"),
                    unit=look.SECONDS,
                ),
                (1.0, look.BAD),
            ),
            chart(
                "Watermark behind the clock",
                "Everything older than this is stored; the worst of each interval.",
                Series("market/lag"),
                unit=look.SECONDS,
            ),
            chart(
                "Silence of streams, of what is usual",
                "Since something came, over what is unusual: 1 and more is stale.",
                Prom(
                    "max by (channel, symbol) (ares_ingest_freshness_seconds / ares_ingest_freshness_limit_seconds)",
                    "{{channel}} {{symbol}}",
                ),
                unit=look.SHARE,
            ),
        ),
        line(
            listing("How old complete data are", "Of every symbol that is collected.", Rows("market/age")),
            listing("Quality", "The newest result of every check, the worst first.", Rows("market/quality")),
        ),
        line(
            stacked("Gaps by cause", "When they were first seen.", Series("market/gaps_begun")),
            listing("Gaps", "Of the chosen time as they stand now.", Rows("market/gaps")),
        ),
        line(
            chart("Spread", "Ask less bid.", Series("market/spread"), unit=look.BIPS),
            chart("Traded", "In quote.", Series("market/volume"), unit=look.MONEY).interval("1m"),
            chart("Funding paid", "Positive: longs pay shorts.", Series("market/funding"), unit=look.PERCENT),
        ),
        line(
            chart(
                "Not acknowledged yet",
                "Rows in memory, by lane.",
                Prom("max by (lane) (ares_ingest_queue_rows)", "{{lane}}"),
            ),
            chart(
                "On disk, to be written",
                "The spool: full of what QuestDB did not take in time.",
                Prom("max(ares_ingest_spool_bytes)", "spool"),
                unit=look.BYTES,
            ),
            stacked(
                "Dropped and refused",
                "Quotes and books for want of room; frames and rows that say something impossible.",
                Prom("sum by (channel) (increase(ares_ingest_shed_total[$__rate_interval]))", "dropped {{channel}}"),
                Prom(
                    "sum by (channel) (increase(ares_ingest_quarantined_total[$__rate_interval]))",
                    "refused {{channel}}",
                    ref_id="B",
                ),
            ),
        ),
        line(
            stacked(
                "Streams opened",
                "Attempts, by what came of them.",
                Prom(
                    "sum by (channel, outcome) (increase(ares_ingest_connects_total[$__rate_interval]))",
                    "{{channel}} {{outcome}}",
                ),
            ),
            chart(
                "Of what venues allow",
                "Requests used of the limit; 1 is at it.",
                Prom("max by (venue, kind) (ares_venue_rate_used / ares_venue_rate_limit)", "{{venue}} {{kind}}"),
                unit=look.SHARE,
            ),
            listing("Refused frames", "The field that was wrong.", Rows("market/quarantine")),
        ),
    ),
)
