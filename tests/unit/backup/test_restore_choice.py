"""Goal: a restore takes two halves that fit, puts files where they belong, and never touches what is there."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import SystemClock
from ares.config import AresConfig
from ares.config.backup import BackupConfig
from ares.config.settings import ControlConfig, EnvironmentConfig
from ares.control import ControlStore, NewEvent
from ares.control.copying import copy_sqlite, require_whole
from ares.control.mirror import COVERED, COVERED_TWICE, CURSOR, PRUNE_EVERY_ROWS, OutboxFeed
from ares.control.second_copy import doubled
from ares.errors import BackupIncomplete, ConfigError, ControlUnavailable, UnknownName, UsageError
from ares.model.row import Row
from ares.service import ServiceContext
from backup import sources
from backup.journal.coverage import Coverage, covered, hand_out_again, keep_until_covered
from backup.journal.keeper import keep_journal
from backup.journal.reach import Reach
from backup.journal.source import JournalSource
from backup.memory import Memory
from backup.restore.choice import choose
from backup.restore.run import _begin_line, _catch_up
from backup.restore.staging import arrange, staged
from backup.sources import MarketSource
from backup.told import Snapshot

moments = st.lists(st.integers(1, 1_000), max_size=8)


def snapshot(kind: str, ts_ns: int, *tags: str) -> Snapshot:
    return Snapshot(f"{kind}{ts_ns}", ts_ns, "ares", (kind, *tags), ())


def rows(count: int) -> list[Row]:
    return [Row("decisions", number, {"account": "a"}, {"cycle_id": str(number)}) for number in range(count)]


@given(moments, moments, st.integers(1, 1_000))
def test_market_backup_is_the_newest_that_is_not_younger_than_the_newest_journal(
    markets: list[int], journals: list[int], at_ns: int
) -> None:
    snapshots = [*(snapshot("market", ts) for ts in markets), *(snapshot("journal", ts) for ts in journals)]
    possible = [ts for ts in markets if ts <= at_ns]
    if not possible:
        with pytest.raises(UsageError, match="no market backup is that old"):
            choose(snapshots, at_ns)
        return
    chosen = choose(snapshots, at_ns)
    journal = max((ts for ts in journals if ts <= at_ns), default=None)
    assert (chosen.journal.ts_ns if chosen.journal else None) == journal
    fitting = [ts for ts in possible if journal is not None and ts <= journal]
    assert chosen.market.ts_ns == max(fitting or possible)


def test_market_backup_that_was_made_while_the_journal_waited_for_the_repository_is_too_young() -> None:
    early, late = snapshot("market", 100), snapshot("market", 150)
    journal = snapshot("journal", 200, *Coverage(at_ns=120).tags)
    assert choose([early, late, journal], 300).market == early


def test_backup_that_does_not_know_what_it_has_is_sure_of_what_an_older_one_had() -> None:
    known, unknown = Coverage(outbox=9, events=5, at_ns=90), Coverage()
    journal = snapshot("journal", 300)
    chosen = choose([snapshot("market", 100, *known.tags), snapshot("market", 200, *unknown.tags), journal], 300)
    assert chosen.market.ts_ns == 200
    assert (chosen.coverage, chosen.market_to_ns) == (known, 90)
    assert choose([snapshot("market", 200, *unknown.tags), journal], 300).market_to_ns is None


def test_older_market_backup_may_be_named_and_the_journal_is_the_newest_all_the_same() -> None:
    older, newer, journal = snapshot("market", 100), snapshot("market", 200), snapshot("journal", 300)
    chosen = choose([older, newer, journal], 300, older.snapshot_id)
    assert (chosen.market, chosen.journal) == (older, journal)
    with pytest.raises(UnknownName, match="market100, market200"):
        choose([older, newer, journal], 300, "another")


def test_after_a_restore_backups_of_the_history_that_it_ended_are_not_taken() -> None:
    before, ended = (
        snapshot("market", 100, *Coverage(at_ns=99).tags),
        snapshot("market", 200, *Coverage(at_ns=199).tags),
    )
    journal = snapshot("journal", 400, *Coverage(at_ns=399, line=300, since_ns=100).tags)
    assert choose([before, ended, journal], 500).market == before
    after = snapshot("market", 350, *Coverage(at_ns=349, line=300, since_ns=100).tags)
    assert choose([before, ended, after, journal], 500).market == after


def test_backup_that_does_not_know_what_it_has_lets_no_mirrored_row_go(tmp_path: Path) -> None:
    config = AresConfig(environment=EnvironmentConfig(state_dir=tmp_path))
    context = ServiceContext(config, SystemClock(), "test")
    store = ControlStore.open(context.control_url)
    store.advance(COVERED, 7)
    asyncio.run(MarketSource(context)._kept(Coverage()))
    assert store.cursor(COVERED_TWICE) == 0
    asyncio.run(MarketSource(context)._kept(Coverage(outbox=9, at_ns=1)))
    assert (store.cursor(COVERED), store.cursor(COVERED_TWICE)) == (9, 7)
    store.close()


def test_young_files_that_keep_their_times_make_the_next_backup_read_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError("not the owner")

    source = MarketSource(
        ServiceContext(AresConfig(environment=EnvironmentConfig(state_dir=tmp_path)), SystemClock(), "t")
    )
    source._doubt.parent.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(sources, "renew_young", refuse)
        source._renew([tmp_path], 0, SystemClock())
    assert source._doubt.exists()
    source._renew([tmp_path], 0, SystemClock())
    assert not source._doubt.exists()


async def test_postgres_that_is_not_to_be_followed_has_no_journal_and_nothing_fails_every_minute(
    tmp_path: Path, control: ControlStore
) -> None:
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path),
        control=ControlConfig(url="postgresql+psycopg://ares@127.0.0.1/ares"),
        backup=BackupConfig(repository=str(tmp_path / "r"), journal_s=0.01, follow_postgres=False),
    )
    context = ServiceContext(config, SystemClock(), "test")
    assert sources.kinds(context) == ["market"]
    with pytest.raises(ConfigError, match=r"backup\.follow_postgres"):
        async with JournalSource(context).prepared(0):
            raise AssertionError("never reached")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(keep_journal(context, control), 0.2)
    assert control.outbox(0, 10) == []


def test_processes_that_remember_at_once_lose_nothing(tmp_path: Path) -> None:
    def keep(kind: str) -> None:
        for number in range(30):
            Memory(tmp_path).keep(kind, success=number, failed=0)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(keep, ("a", "b", "c")))
    assert {kind: Memory(tmp_path).get(kind, "success") for kind in ("a", "b", "c")} == {"a": 29, "b": 29, "c": 29}


def followed(reach: Reach, line: int = 0, since_ns: int = 0) -> Snapshot:
    """A journal of a Postgres."""
    coverage = Coverage(at_ns=reach.to_ns, line=line, since_ns=since_ns)
    return snapshot("journal", reach.to_ns + 1, *coverage.tags, *reach.tags)


@given(moments, st.lists(st.tuples(st.integers(1, 500), st.integers(0, 500)), max_size=8), st.integers(1, 1_000))
def test_journal_of_a_postgres_that_can_be_stopped_at_the_moment_comes_first_and_no_market_backup_is_younger(
    markets: list[int], spans: list[tuple[int, int]], at_ns: int
) -> None:
    reaches = [Reach(begin, begin + length, 0, 1) for begin, length in spans]
    journals = [followed(reach) for reach in reaches]
    snapshots = [*(snapshot("market", ts) for ts in markets), *journals]
    if not any(ts <= at_ns for ts in markets):
        return
    chosen = choose(snapshots, at_ns)
    fitting = [reach for reach in reaches if reach.has(at_ns)]
    if fitting:
        assert chosen.until_ns == chosen.journal_to_ns == at_ns
        assert chosen.journal is not None
        assert chosen.journal.ts_ns == min(reach.to_ns for reach in fitting) + 1
        assert chosen.market.ts_ns == max(ts for ts in markets if ts <= at_ns)
    else:
        assert chosen.until_ns is None
        assert chosen.journal is None or chosen.journal.ts_ns <= at_ns


def test_of_a_history_that_a_restore_ended_no_journal_is_taken_beyond_that_though_its_server_went_on() -> None:
    before, ended = snapshot("market", 100, *Coverage(at_ns=99).tags), followed(Reach(50, 200, 0, 1))
    went_on = followed(Reach(50, 420, 0, 1))
    first, second = (followed(Reach(320, to_ns, 0, 1), line=300, since_ns=100) for to_ns in (350, 400))
    there = [before, ended, went_on, first, second]
    assert (choose(there, 150).journal, choose(there, 250).journal) == (ended, went_on)
    chosen = choose(there, 310)
    assert (chosen.journal, chosen.until_ns, chosen.journal_to_ns) == (went_on, 300, 300)
    chosen = choose(there, 340)
    assert (chosen.journal, chosen.until_ns, chosen.market) == (first, 340, before)
    chosen = choose(there, 410)
    assert (chosen.journal, chosen.until_ns, chosen.journal_to_ns) == (second, None, 400)


def test_market_backup_of_between_the_moment_and_the_end_of_the_journal_is_too_young() -> None:
    early, late, journal = snapshot("market", 100), snapshot("market", 180), followed(Reach(50, 200, 0, 1))
    chosen = choose([early, late, journal], 150)
    assert (chosen.market, chosen.until_ns) == (early, 150)
    assert choose([early, late, journal], 190).market == late


def test_what_a_backup_covers_is_read_back_from_its_tags() -> None:
    coverage = Coverage(17, 4, 1_764_000_000_000_000_000)
    assert Coverage.of(["market", "id=0a1b", *coverage.tags]) == coverage
    restored = Coverage(17, 4, 1_764_000_000_000_000_000, line=5, since_ns=3)
    assert Coverage.of(restored.tags) == restored
    assert Coverage.of(["market", "outbox=many"]) == Coverage()


def test_mirrored_rows_stay_until_two_backups_have_them(control: ControlStore) -> None:
    keep_until_covered(control)
    feed = OutboxFeed(control, 1_000_000)
    control.mirror(rows(PRUNE_EVERY_ROWS + 10))
    control.advance(CURSOR, PRUNE_EVERY_ROWS)
    feed.passed(PRUNE_EVERY_ROWS)
    assert control.outbox(0, 1)[0].seq == 1, "no backup has them"

    covered(control, Coverage.now(control, 1))
    assert control.cursor(COVERED_TWICE) == 0
    covered(control, Coverage.now(control, 2))
    control.mirror(rows(PRUNE_EVERY_ROWS))
    feed.passed(2 * PRUNE_EVERY_ROWS)
    assert control.outbox(0, 1)[0].seq == PRUNE_EVERY_ROWS + 1


def test_without_backups_mirrored_rows_go_at_once_and_with_failing_ones_they_are_bounded(
    control: ControlStore,
) -> None:
    control.mirror(rows(PRUNE_EVERY_ROWS))
    OutboxFeed(control, 1_000_000).passed(PRUNE_EVERY_ROWS)
    assert control.outbox(0, 1) == []

    keep_until_covered(control)
    control.mirror(rows(PRUNE_EVERY_ROWS))
    OutboxFeed(control, 100).passed(2 * PRUNE_EVERY_ROWS)
    assert control.outbox(0, 1)[0].seq == 2 * PRUNE_EVERY_ROWS - 99


def test_restored_feeds_begin_after_what_the_backup_has_and_never_ahead(control: ControlStore) -> None:
    control.advance(CURSOR, 50)
    hand_out_again(control, Coverage(outbox=30))
    assert control.cursor(CURSOR) == 30
    hand_out_again(control, Coverage(outbox=40))
    assert control.cursor(CURSOR) == 30


def test_copy_made_while_others_write_is_whole_and_one_file(tmp_path: Path) -> None:
    store = ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")
    store.append("s", [NewEvent("a", 1, {})], expected_seq=0)
    with sqlite3.connect(tmp_path / "control.db", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO audit_heads (head) VALUES ('not committed')")
        copy_sqlite(tmp_path / "control.db", tmp_path / "copy.db")
        writer.execute("ROLLBACK")
    writer.close()
    store.close()

    require_whole(tmp_path / "copy.db")
    assert sorted(path.name for path in tmp_path.glob("*copy*")) == ["copy.db"]
    copied = ControlStore.open(f"sqlite:///{tmp_path / 'copy.db'}")
    assert len(copied.read("s")) == 1
    assert copied.audit_heads() == []
    copied.close()


def test_old_journal_is_brought_up_by_the_second_copy_and_a_hole_in_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    store = ControlStore.open(doubled(f"sqlite:///{tmp_path / 'control.db'}", tmp_path / "second", "go_on"))
    store.append("s", [NewEvent("a", 1, {})], expected_seq=0)
    assert copy_sqlite(tmp_path / "control.db", tmp_path / "journal.db").number == 1
    store.append("s", [NewEvent("a", 2, {})], expected_seq=1)
    (tmp_path / "second").rename(tmp_path / "away")
    store.append("s", [NewEvent("a", 3, {})], expected_seq=2)
    (tmp_path / "away").rename(tmp_path / "second")
    store.append("s", [NewEvent("a", 4, {})], expected_seq=3)
    store.close()

    assert _catch_up(tmp_path / "journal.db", tmp_path / "second") == (1, True)
    restored = ControlStore.open(f"sqlite:///{tmp_path / 'journal.db'}")
    assert [event.ts_ns for event in restored.read("s")] == [1, 2]
    restored.close()


def test_second_copy_of_a_history_that_a_restore_ended_is_not_mixed_with_the_one_after(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    first = ControlStore.open(doubled(f"sqlite:///{tmp_path / 'control.db'}", tmp_path / "second", "refuse"))
    first.append("s", [NewEvent("kept", 1, {})], expected_seq=0)
    copy_sqlite(tmp_path / "control.db", tmp_path / "restored.db")
    for seq in range(1, 6):
        first.append("s", [NewEvent("ended", seq, {})], expected_seq=seq)
    first.close()

    restored = ControlStore.open(f"sqlite:///{tmp_path / 'restored.db'}")
    _begin_line(restored, 1_000, 500)
    restored.close()
    copied = copy_sqlite(tmp_path / "restored.db", tmp_path / "journal.db")
    assert (copied.number, copied.line, copied.line_since) == (1, 1_000, 500)
    goes_on = ControlStore.open(doubled(f"sqlite:///{tmp_path / 'restored.db'}", tmp_path / "second", "refuse"))
    for seq in range(1, 3):
        goes_on.append("s", [NewEvent("after", seq, {})], expected_seq=seq)
    goes_on.close()

    assert _catch_up(tmp_path / "journal.db", tmp_path / "second") == (2, False)
    found = ControlStore.open(f"sqlite:///{tmp_path / 'journal.db'}")
    assert [event.type for event in found.read("s")] == ["kept", "after", "after"]
    found.close()


def test_damaged_copy_is_refused_and_a_missing_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5_000)
    with pytest.raises(UsageError, match="--at"):
        require_whole(tmp_path / "bad.db")
    with pytest.raises(ControlUnavailable, match="no copy could be made"):
        copy_sqlite(tmp_path / "absent.db", tmp_path / "copy.db")


def test_target_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "var"
    restore = staged(target)
    (restore.__enter__() / "half").touch()
    assert restore.__exit__(ZeroDivisionError, ZeroDivisionError(), None) is False
    assert list(tmp_path.iterdir()) == []

    with staged(target) as staging:
        (staging / "whole").touch()
        with pytest.raises(UsageError, match="another restore works there"), staged(target):
            pass
    assert [path.name for path in target.iterdir()] == ["whole"]

    with pytest.raises(UsageError, match="nothing is overwritten"), staged(target):
        pass


def test_files_go_where_they_belong_whatever_the_old_machine_called_its_folders(tmp_path: Path) -> None:
    brought, state = tmp_path / "brought", tmp_path / "state"
    listed = "/srv/ares/backup/staging/market/manifest.json"
    paths = ["/data/qdb/db", "/data/qdb/.checkpoint", "/srv/ares/models", listed, "/data/grafana", "/data/gone"]
    for path in paths[:-1]:
        (brought / path[1:]).mkdir(parents=True)
    state.mkdir()

    arrange(brought, paths, state)

    found = {str(path.relative_to(state)) for path in state.rglob("*")}
    assert found >= {
        "questdb/db",
        "questdb/.checkpoint",
        "models",
        "restored/data/grafana",
        listed[len("/srv/ares/") :],
    }


def test_backup_without_a_checkpoint_cannot_be_restored(tmp_path: Path) -> None:
    (tmp_path / "data" / "db").mkdir(parents=True)
    with pytest.raises(BackupIncomplete, match="no checkpoint"):
        arrange(tmp_path, ["/data/db"], tmp_path)
