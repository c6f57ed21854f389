"""Goal: a migration that could break who still runs, or that cannot be run again, is refused before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.errors import UsageError
from ares.store.migrations import migrations, parse_migration, schema_level, views_broken

NOTES = "-- What: A thing.\n-- Why: A reason.\n-- Rollback: None needed,\n--   older releases pass over it.\n"


def test_every_migration_is_numbered_once_and_says_what_why_and_the_way_back() -> None:
    known = migrations()
    assert [each.number for each in known] == list(range(1, len(known) + 1))
    assert schema_level() == len(known)
    assert all(each.what and each.why and each.rollback and each.steps for each in known)


def test_notes_go_on_in_the_next_line_and_do_not_count_for_the_fingerprint() -> None:
    adding = "ALTER TABLE t ADD COLUMN IF NOT EXISTS a DECIMAL(28,10);"
    one = parse_migration("0001_pre_a.sql", NOTES + adding)
    assert one.rollback == "None needed, older releases pass over it."
    other = parse_migration("0001_pre_a.sql", NOTES.replace("A thing", "Another thing") + adding)
    assert one.digest == other.digest != parse_migration("0001_pre_a.sql", NOTES + adding.replace(" a ", " b ")).digest


@pytest.mark.parametrize("note", ["What", "Why", "Rollback"])
def test_migration_without_a_note_is_refused(note: str) -> None:
    with pytest.raises(UsageError, match=f"lacks '-- {note}: ...'"):
        parse_migration("0001_pre_a.sql", NOTES.replace(f"-- {note}:", "-- So:"))


@pytest.mark.parametrize("name", ["1_pre_a.sql", "0001_later_a.sql", "0001_pre_A.sql", "0001_pre_.sql"])
def test_misnamed_migration_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="misnamed"):
        parse_migration(name, NOTES)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("ALTER TABLE t DROP COLUMN a", "drop column"),
        ("ALTER TABLE t ALTER COLUMN a TYPE LONG", "change type"),
        ("alter table t dedup enable upsert keys(ts, a)", "dedup keys"),
        ("DROP TABLE IF EXISTS t", "drop table"),
        ("DROP MATERIALIZED VIEW IF EXISTS v", "drop view"),
    ],
)
def test_what_takes_away_is_refused_in_pre_and_allowed_in_post(sql: str, kind: str) -> None:
    with pytest.raises(UsageError, match="Put it into a post migration"):
        parse_migration("0001_pre_a.sql", NOTES + sql)
    (step,) = parse_migration("0001_post_a.sql", NOTES + sql).steps
    assert step.kind.name == kind


@pytest.mark.parametrize("phase", ["pre", "post"])
@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("RENAME TABLE a TO b", "between two names writers find no table"),
        ("ALTER TABLE t RENAME COLUMN a TO b", "older writers are refused"),
        ("ALTER TABLE t SET TTL 3 DAYS", "only the retention job"),
        ("ALTER TABLE t DROP PARTITION LIST '2026-01-01'", "from under materialized views"),
        ("TRUNCATE TABLE t", "from under materialized views"),
        ("UPDATE t SET a = 1", "from under materialized views"),
        ("ALTER TABLE t ADD COLUMN a LONG", "unknown. A"),
        ("ALTER TABLE t ADD COLUMN IF NOT EXISTS a LONG, b LONG", "unknown. A"),
        ("DROP TABLE t", "unknown. A"),
        ("INSERT INTO t SELECT * FROM u", "For each partition of"),
        ("-- For each partition of: u\nINSERT INTO t SELECT * FROM u", "For each partition of"),
    ],
)
def test_what_no_migration_may_do_is_refused_with_the_way_out(phase: str, sql: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_migration(f"0001_{phase}_a.sql", NOTES + sql)


def test_number_that_is_taken_is_refused(tmp_path: Path) -> None:
    for name in ("0001_pre_a.sql", "0001_post_b.sql"):
        (tmp_path / name).write_text(NOTES, encoding="utf-8")
    with pytest.raises(UsageError, match="has this number"):
        migrations(tmp_path)


def test_views_break_by_what_takes_away_and_not_by_what_adds() -> None:
    rests_on = {"t": ["bars"]}
    (drop,) = parse_migration("0001_post_a.sql", NOTES + "ALTER TABLE t DROP COLUMN a").steps
    (add,) = parse_migration("0001_pre_a.sql", NOTES + "ALTER TABLE t ADD COLUMN IF NOT EXISTS a LONG").steps
    assert (views_broken(drop, rests_on), views_broken(add, rests_on)) == (["bars"], ())
