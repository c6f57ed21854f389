"""Goal: what was acknowledged stands in the second copy, whatever happened between the two; a restore reads it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.control import AuditEntry, ControlStore, NewEvent
from ares.control import second_copy as copies
from ares.control.second_copy import CopiedTransaction, append, copied_after, doubled, newest_copied, prune_copied
from ares.errors import ConfigError, ControlUnavailable
from ares.model.row import Row

TABLES = ("stream_events", "outbox", "audit_entries", "audit_heads", "dead_letters", "cursors")
WRITE_FOR_EVER = """
import sys
from ares.control import ControlStore, NewEvent
store = ControlStore.open(sys.argv[1])
seq = len(store.read(sys.argv[2]))
while True:
    seq = store.append(sys.argv[2], [NewEvent("filled", seq, {"n": seq})], expected_seq=seq)
    print(seq, flush=True)
"""


def url_of(folder: Path, away: str = "refuse") -> str:
    (folder / "second").mkdir(exist_ok=True)
    return doubled(f"sqlite:///{folder / 'control.db'}", folder / "second", away)


def row(number: int) -> Row:
    return Row("fills", number, {"venue": "v"}, {"fill_id": str(number)})


def say(store: ControlStore, seq: int) -> int:
    entry = AuditEntry("trader", "ada", "order", seq)
    return store.append("s", [NewEvent("filled", seq, {"n": seq})], expected_seq=seq, mirror=[row(seq)], audit=[entry])


def contents(path: Path) -> dict[str, list[Sequence[object]]]:
    with sqlite3.connect(path) as connection:
        found = {table: list(connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")) for table in TABLES}
    connection.close()
    return found


def caught_up(path: Path, folder: Path) -> int:
    """Applies what a copy lacks; returns how much that was."""
    store = ControlStore.open(f"sqlite:///{path}")
    applied = 0
    try:
        for transaction in copied_after(folder, store.cursor(copies.CURSOR)):
            store.put_copied(transaction)
            applied += 1
    finally:
        store.close()
    return applied


def backup(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)
    one.close()
    other.close()


def test_store_is_the_same_byte_for_byte_after_an_old_copy_was_brought_up_from_the_second_one(tmp_path: Path) -> None:
    store = ControlStore.open(url_of(tmp_path))
    say(store, 0)
    backup(tmp_path / "control.db", tmp_path / "old.db")
    for seq in range(1, 6):
        say(store, seq)
    store.keep_audit_heads(["head"])
    store.close()

    assert caught_up(tmp_path / "old.db", tmp_path / "second") == 6
    assert contents(tmp_path / "old.db") == contents(tmp_path / "control.db")


def test_transaction_that_was_rolled_back_is_replaced_by_the_next_of_its_number(tmp_path: Path) -> None:
    store = ControlStore.open(url_of(tmp_path))
    say(store, 0)
    assert store._second_copy is not None
    with store._engine.connect() as connection:
        transaction = connection.begin()
        store._second_copy.begin(connection)
        copies.noted(connection, "audit_heads", [{"head": "never committed"}])
        store._second_copy.put(connection)
        transaction.rollback()
    say(store, 1)
    store.close()

    assert [t.number for t in copied_after(tmp_path / "second", 0)] == [1, 2]
    assert "never committed" not in str(list(copied_after(tmp_path / "second", 0)))


def test_line_that_was_torn_off_is_passed_over_and_the_next_one_is_whole(tmp_path: Path) -> None:
    append(tmp_path, CopiedTransaction(1, {"audit_heads": [{"head": "a"}]}))
    path = next(tmp_path.glob("*.jsonl"))
    with path.open("ab") as file:
        file.write(b'\n00000000 {"n": 2, "sa')
    append(tmp_path, CopiedTransaction(2, {"audit_heads": [{"head": "b"}]}))

    assert [t.number for t in copied_after(tmp_path, 0)] == [1, 2]


def test_without_the_second_disk_nothing_is_committed_and_the_error_names_the_way_out(tmp_path: Path) -> None:
    store = ControlStore.open(url_of(tmp_path))
    say(store, 0)
    (tmp_path / "second").rename(tmp_path / "gone")

    with pytest.raises(ControlUnavailable, match=r"second_copy_dir.*second_copy_away = 'go_on'"):
        say(store, 1)

    (tmp_path / "gone").rename(tmp_path / "second")
    assert say(store, 1) == 2, "the refused one left nothing behind"
    assert [t.number for t in copied_after(tmp_path / "second", 0)] == [1, 2]
    store.close()


def test_who_goes_on_without_the_second_disk_leaves_a_hole_that_is_not_read_over(tmp_path: Path) -> None:
    store = ControlStore.open(url_of(tmp_path, "go_on"))
    say(store, 0)
    (tmp_path / "second").rename(tmp_path / "gone")
    assert say(store, 1) == 2
    (tmp_path / "gone").rename(tmp_path / "second")
    say(store, 2)
    store.close()

    assert [t.number for t in copied_after(tmp_path / "second", 0)] == [1]
    assert [t.number for t in copied_after(tmp_path / "second", 2)] == [3], "after a later backup it is of use again"
    assert newest_copied(tmp_path / "second") == (0, 3)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
def test_full_second_disk_refuses_the_commit(tmp_path: Path) -> None:
    store = ControlStore.open(url_of(tmp_path))
    (tmp_path / "second" / f"{0:012d}.jsonl").symlink_to("/dev/full")

    with pytest.raises(ControlUnavailable, match="No space left"):
        say(store, 0)
    assert store.read("s") == []
    store.close()


def test_second_copy_of_postgres_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="synchronous standby"):
        ControlStore.open(doubled("postgresql+psycopg://ares@127.0.0.1/ares", tmp_path, "refuse"))


def test_reading_and_leases_write_nothing_to_the_second_copy(tmp_path: Path) -> None:
    store = ControlStore.open(url_of(tmp_path))
    store.acquire_lease("leader", "me", 0, 10.0)
    store.advance("questdb", 5)
    store.read("s")
    store.close()

    assert list((tmp_path / "second").iterdir()) == []


def test_segments_that_a_backup_covers_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "SEGMENT_RECORDS", 3)
    for number in range(1, 9):
        append(tmp_path, CopiedTransaction(number, {"audit_heads": [{"head": str(number)}]}))

    assert prune_copied(tmp_path, 4) == 1
    assert [t.number for t in copied_after(tmp_path, 4)] == [5, 6, 7, 8]


def test_writers_killed_at_any_moment_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    url = url_of(tmp_path)
    ControlStore.open(url).close()
    backup(tmp_path / "control.db", tmp_path / "old.db")
    acknowledged = {"a": 0, "b": 0}
    for lines in (7, 12):
        writers = {
            name: subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, url, name], stdout=subprocess.PIPE)
            for name in acknowledged
        }
        for name, writer in writers.items():
            assert writer.stdout
            for _ in range(lines):
                acknowledged[name] = int(writer.stdout.readline())
        for writer in writers.values():
            writer.send_signal(signal.SIGKILL)
            rest = writer.communicate()[0].split()
            name = next(name for name, each in writers.items() if each is writer)
            acknowledged[name] = max([acknowledged[name], *(int(line) for line in rest)])

    caught_up(tmp_path / "old.db", tmp_path / "second")
    store = ControlStore.open(f"sqlite:///{tmp_path / 'old.db'}")
    for name, seq in acknowledged.items():
        events = [event.seq for event in store.read(name)]
        assert events == list(range(1, len(events) + 1))
        assert len(events) >= seq
    store.close()


@given(st.lists(st.sampled_from(["say", "torn", "unacknowledged", "backup"]), max_size=12))
def test_any_history_is_read_back_from_any_backup(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        said: dict[int, str] = {}
        covered = number = 0
        for index, step in enumerate(steps):
            record = CopiedTransaction(number + 1, {"audit_heads": [{"head": str(index)}]})
            if step == "torn":
                with (folder / f"{0:012d}.jsonl").open("ab") as file:
                    file.write(b'\ndeadbeef {"n":')
            elif step == "backup":
                covered = number
            else:
                append(folder, record)
                if step == "say":
                    number += 1
                    said[number] = str(index)
        found = {t.number: t.said["audit_heads"][0]["head"] for t in copied_after(folder, covered)}
        expected = {n: text for n, text in said.items() if n > covered}
        assert {n: found.get(n) for n in expected} == expected
        assert set(found) - set(expected) <= {number + 1}, "at most the one whose fate nobody was told"
