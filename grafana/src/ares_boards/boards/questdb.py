"""How the database is."""

from __future__ import annotations

from ares_boards import look
from ares_boards.board import Board, headline, line
from ares_boards.panels import chart, figure, listing, stacked
from ares_boards.sources import Prom, Rows, quantiles

QUESTDB = Board(
    uid="ares-questdb",
    title="QuestDB",
    question="Does the database apply what it acknowledges, answer in time, and have room?",
    annotations=("changes",),
    lines=(
        headline(
            figure(
                "Suspended tables",
                "They take rows that nobody sees.",
                Rows("questdb/suspended"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Invalid views",
                "Nothing reaches them any more.",
                Rows("questdb/invalid"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Not applied yet",
                "Transactions that are acknowledged and cannot be read.",
                Rows("questdb/behind"),
                colors=look.steps((100.0, look.WATCH), (1_000.0, look.BAD)),
            ),
            figure("On disk", "All tables together.", Rows("questdb/disk"), unit=look.BYTES),
        ),
        line(
            chart(
                "Transactions not applied",
                "Acknowledged and not to be read yet: the lag of the log.",
                Prom("questdb_wal_apply_seq_txn - questdb_wal_apply_writer_txn", "waiting"),
            ),
            chart(
                "Write amplification",
                "Rows written to tables for one that came: above 1 where late rows rewrite partitions.",
                Prom(
                    "rate(questdb_wal_apply_physically_written_rows_total[$__rate_interval]) / "
                    "rate(questdb_wal_apply_written_rows_total[$__rate_interval])",
                    "amplification",
                ),
            ),
            chart(
                "Rows a second",
                "Into the log, and from it into tables.",
                Prom("rate(questdb_wal_written_rows_total[$__rate_interval])", "acknowledged"),
                Prom("rate(questdb_wal_apply_written_rows_total[$__rate_interval])", "applied", ref_id="B"),
                unit=look.PER_SECOND,
            ),
        ),
        line(
            chart(
                "Statements",
                "How long our services' took, waiting for a connection included.",
                *quantiles("ares_statement_seconds"),
                unit=look.SECONDS,
            ),
            stacked(
                "Slow statements",
                "That took longer than database.slow_statement_s.",
                Prom("sum by (service) (increase(ares_slow_statements_total[$__rate_interval]))", "{{service}}"),
            ),
            listing("Running now", "The oldest first.", Rows("questdb/statements")),
        ),
        line(listing("Tables", "State, transactions that wait, rows, partitions and size.", Rows("questdb/tables"))),
        line(
            listing("Materialized views", "State, and how far behind their base.", Rows("questdb/views")),
            chart(
                "Broken",
                "Tables that nothing is applied to, views that were given up.",
                Prom("max by (kind) (ares_database_broken)", "{{kind}}"),
            ),
        ),
        line(
            chart(
                "Memory",
                "Of the process, and of it what Java's heap has.",
                Prom("questdb_memory_rss", "resident"),
                Prom("questdb_memory_jvm_total - questdb_memory_jvm_free", "heap", ref_id="B"),
                Prom("questdb_memory_jvm_max", "heap at most", ref_id="C"),
                unit=look.BYTES,
            ),
            chart(
                "Java's collector",
                "Share of the time in which it worked.",
                Prom("rate(questdb_jvm_major_gc_time_total[$__rate_interval]) / 1000", "major"),
                Prom("rate(questdb_jvm_minor_gc_time_total[$__rate_interval]) / 1000", "minor", ref_id="B"),
                unit=look.SHARE,
            ),
            chart(
                "Connections",
                "Of PostgreSQL's protocol and HTTP, and those that our services hold and wait for.",
                Prom("questdb_pg_wire_connections", "PostgreSQL"),
                Prom("questdb_http_connections", "HTTP", ref_id="B"),
                Prom("sum(ares_pool_connections)", "of services", ref_id="C"),
                Prom("sum(ares_pool_waiting)", "waiting", ref_id="D"),
            ),
        ),
        line(
            stacked(
                "Errors",
                "Of statements and inside of QuestDB.",
                Prom("increase(questdb_query_error_counter_total[$__rate_interval])", "statements"),
                Prom("increase(questdb_unhandled_errors_total[$__rate_interval])", "unhandled", ref_id="B"),
                Prom("increase(questdb_pg_wire_errors_total[$__rate_interval])", "protocol", ref_id="C"),
            ),
            chart(
                "Analysts",
                "Statements that people run, and the memory that all statements hold.",
                Prom("max(ares_analyst_statements)", "statements"),
                Prom("max(ares_statement_memory_mb)", "MiB", ref_id="B"),
            ),
            chart(
                "Replicas behind",
                "How far each is behind now; none where it is not known.",
                Prom("max by (database) (ares_replica_lag_seconds)", "{{database}}"),
                unit=look.SECONDS,
            ),
        ),
    ),
)
