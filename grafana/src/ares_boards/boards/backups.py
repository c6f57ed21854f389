"""What a disaster now would cost, and whether the way back was proved."""

from __future__ import annotations

from ares_boards import look
from ares_boards.board import Board, headline, line
from ares_boards.panels import bars, chart, figure, listing, points
from ares_boards.sources import Prom, Rows, Series

BACKUPS = Board(
    uid="ares-backups",
    title="Backups & disaster recovery",
    question="What would a disaster cost now, and is the way back proved?",
    annotations=("changes",),
    since="now-7d",
    lines=(
        headline(
            figure(
                "A restore was proved",
                "So long ago; once a day is promised.",
                Rows("backups/proved"),
                unit=look.SECONDS,
                colors=look.steps((93_600.0, look.BAD)),
            ),
            figure(
                "Failed",
                "Copies and checks of the chosen time.",
                Rows("backups/failed"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Repository",
                "1 as long as the last check found it sound.",
                Prom("min(ares_backup_repository_sound)", "sound"),
                colors=look.steps((1.0, look.GOOD), base=look.BAD),
            ),
            figure(
                "Second copy away",
                "1 while what is committed does not reach the second disk.",
                Prom("max(ares_second_copy_away)", "away"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
        ),
        line(
            bars(
                "What a disaster now would cost",
                "Age of what the newest good copy covers, by kind.",
                Rows("backups/age"),
                unit=look.SECONDS,
                colors=look.steps((90.0, look.WATCH), (900.0, look.BAD)),
            ),
            chart(
                "Age of what is covered",
                "By kind, as the services saw it.",
                Prom("time() - max by (kind) (ares_backup_covers_to_timestamp_seconds)", "{{kind}}"),
                unit=look.SECONDS,
            ),
        ),
        line(
            points(
                "What drills measured",
                "Seconds of data lost, and seconds until the restored database answered.",
                Series("backups/objectives"),
                unit=look.SECONDS,
            ),
            listing("Restore drills", "differences must be 0.", Rows("backups/drills")),
        ),
        line(
            points("Size", "The whole, and what was new.", Series("backups/sizes"), unit=look.BYTES),
            points("Duration", "And how long a checkpoint was held.", Series("backups/durations"), unit=look.SECONDS),
            chart(
                "Log that Postgres keeps",
                "Until the journal has it; at the most it is given up.",
                Prom("max(ares_journal_slot_kept_bytes)", "kept"),
                Prom("max(ares_journal_slot_max_bytes > 0)", "most", ref_id="B"),
                unit=look.BYTES,
            ),
        ),
        line(
            listing("Last copies and checks", "The newest first.", Rows("backups/last")),
            listing("Cold tier", "Days by table, and whether they are proved.", Rows("backups/cold")),
        ),
    ),
)
