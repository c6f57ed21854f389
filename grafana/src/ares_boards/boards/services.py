"""Whether everything that should run does."""

from __future__ import annotations

from ares_boards import look
from ares_boards.board import Board, headline, line
from ares_boards.panels import chart, figure, listing, points, stacked
from ares_boards.sources import Prom, Rows, Series

SERVICES = Board(
    uid="ares-services",
    title="Services & jobs",
    question="Does everything run that should, and what changed?",
    annotations=("changes",),
    lines=(
        headline(
            figure("Running", "Services with a sign of life within a minute.", Rows("services/running")),
            figure(
                "Silent",
                "Services of the last day that gave none for a minute and did not end in order.",
                Rows("services/silent"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Jobs that failed",
                "Within the chosen time.",
                Rows("services/jobs_failed"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Dead letters",
                "What no handler could take, within the chosen time.",
                Rows("services/dead_letters"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
        ),
        line(listing("Instances", "State, release and what they take.", Rows("services/instances"))),
        line(
            chart("Memory", "Resident, by service.", Series("services/memory"), unit=look.MIB),
            chart("Processor", "1 is one core.", Series("services/processor")),
            chart(
                "Stops by Python's collector",
                "Seconds a second in which a process stood still.",
                Prom("sum by (service) (rate(ares_gc_pause_seconds_sum[$__rate_interval]))", "{{service}}"),
                unit=look.SHARE,
            ),
        ),
        line(
            listing("Jobs", "The last run of each, failures first.", Rows("services/jobs")),
            points("Duration of jobs", "Of each run.", Series("services/job_durations"), unit=look.SECONDS),
        ),
        line(
            chart(
                "Events",
                "Appended to the log, by category, a second.",
                Prom("sum by (category) (rate(ares_events_total[$__rate_interval]))", "{{category}}"),
                unit=look.PER_SECOND,
            ),
            chart(
                "Mirrored",
                "Rows that left the control store for QuestDB, a second.",
                Prom("sum(rate(ares_mirrored_rows_total[$__rate_interval]))", "rows"),
                unit=look.PER_SECOND,
            ),
            chart(
                "Kept until backed up",
                "Rows that QuestDB has and that backups do not cover yet.",
                Prom("max(ares_outbox_kept_rows)", "rows"),
            ),
        ),
        headline(
            figure(
                "Settings valid",
                "0 while the files say something impossible, so that old settings hold.",
                Prom("min(ares_config_valid)", "valid"),
                colors=look.steps((1.0, look.GOOD), base=look.BAD),
            ),
            figure(
                "Waits for a restart",
                "Changed settings that hold only after one.",
                Prom("max(ares_config_waits_for_restart)", "settings"),
                colors=look.steps((1.0, look.WATCH)),
            ),
            figure(
                "Secrets old",
                "1 while secrets cannot be looked up, so that old ones are used.",
                Prom("max(ares_secrets_stale)", "old"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Certificate",
                "Until the one of the TLS proxy expires.",
                Prom("min(ares_tls_certificate_expiry_timestamp_seconds) - time()", "left"),
                unit=look.SECONDS,
                colors=look.steps((604_800.0, look.WATCH), (2_592_000.0, look.GOOD), base=look.BAD),
            ),
        ),
        line(
            listing("Settings", "Changes, refused ones too.", Rows("services/settings")),
            listing("Maintenance", "Windows, newest first.", Rows("services/maintenance")),
            listing("Letters that nobody took", "And why.", Rows("services/letters")),
        ),
        line(
            stacked(
                "Spans",
                "Of traces, by where they went; dropped ones are lost.",
                Prom("sum by (outcome) (increase(ares_spans_total[$__rate_interval]))", "{{outcome}}"),
            ),
            stacked(
                "Caches",
                "Values that were asked of them, by outcome.",
                Prom(
                    "sum by (cache, outcome) (increase(ares_cache_requests_total[$__rate_interval]))",
                    "{{cache}} {{outcome}}",
                ),
            ),
        ),
    ),
)
