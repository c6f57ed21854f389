"""Goal: what the control store accepted is whole, in order, exactly once; what it refused changed nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from ares.control import ControlStore, Fence, Lease, NewEvent
from ares.control.codec import load_row
from ares.control.mirror import CURSOR, Mirror, OutboxFeed
from ares.errors import (
    ConfigError,
    ControlUnavailable,
    LeaseLost,
    SequenceConflict,
    StoreError,
    StoreRejected,
    StoreUnavailable,
)
from ares.model.row import Row, UtcNs
from ares.testing.clock import SteppedClock

SECOND = 1_000_000_000
OPEN_MANY = """
import sys, time
from ares.control import ControlStore

print("loaded", flush=True)
start = float(sys.stdin.readline())
for number in range(60):
    time.sleep(max(0, start + number * 0.03 - time.time()))
    ControlStore.open(f"sqlite:///{sys.argv[1]}/{number}.db").close()
"""


def event(number: int) -> NewEvent:
    return NewEvent("filled", number, {"quantity": "0.1", "n": number})


def row(number: int) -> Row:
    return Row("fills", number, {"venue": "v"}, {"fill_id": str(number), "price": Decimal("1.5"), "at": UtcNs(number)})


def test_processes_may_open_a_store_that_does_not_exist_yet_at_the_same_moment(tmp_path: Path) -> None:
    openers = [
        subprocess.Popen([sys.executable, "-c", OPEN_MANY, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for opener in openers:
        assert opener.stdout
        assert opener.stdout.readline() == b"loaded\n"
    start = str(time.time() + 0.2).encode() + b"\n"
    for opener in openers:
        assert opener.stdin
        opener.stdin.write(start)
        opener.stdin.flush()
    for opener in openers:
        opener.communicate(timeout=60)
    assert [opener.returncode for opener in openers] == [0, 0, 0]


def test_stream_reads_back_in_order_with_its_payload(control: ControlStore) -> None:
    assert control.append("order/a", [event(1), event(2)], expected_seq=0) == 2
    assert control.append("order/a", [event(3)], expected_seq=2) == 3
    stored = control.read("order/a")
    assert [(e.seq, e.payload["n"]) for e in stored] == [(1, 1), (2, 2), (3, 3)]
    assert [e.seq for e in control.read("order/a", after_seq=2)] == [3]


def test_append_at_the_wrong_place_is_refused_and_mirrors_nothing(control: ControlStore) -> None:
    control.append("order/a", [event(1)], expected_seq=0)
    with pytest.raises(SequenceConflict, match="at 1, not at 0"):
        control.append("order/a", [event(2)], expected_seq=0, mirror=[row(2)])
    assert len(control.read("order/a")) == 1
    assert control.outbox(0, 10) == []


def test_event_and_its_mirror_rows_are_one_transaction(control: ControlStore) -> None:
    control.append("order/a", [event(1)], expected_seq=0, mirror=[row(1), row(2)])
    assert [entry.row for entry in control.outbox(0, 10)] == [row(1), row(2)]


def test_streams_are_listed_by_prefix_in_order_of_birth(control: ControlStore) -> None:
    for name in ("order/b", "order/a", "other/x", "order%"):
        control.append(name, [event(1)], expected_seq=0)
    assert control.streams("order/") == ["order/b", "order/a"]


def test_only_one_of_many_writers_wins_a_place_in_a_stream(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    ControlStore.open(url).close()
    outcomes: list[str] = []

    def contend() -> None:
        store = ControlStore.open(url)
        try:
            store.append("order/a", [event(1)], expected_seq=0)
            outcomes.append("won")
        except SequenceConflict:
            outcomes.append("refused")
        finally:
            store.close()

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 7 + ["won"]


def test_lease_has_one_holder_until_it_runs_out(control: ControlStore) -> None:
    lease = control.acquire_lease("leader", "a", now_ns=0, ttl_s=10)
    assert lease is not None
    assert control.acquire_lease("leader", "b", now_ns=9 * SECOND, ttl_s=10) is None
    taken = control.acquire_lease("leader", "b", now_ns=11 * SECOND, ttl_s=10)
    assert taken is not None
    assert taken.token > lease.token, "a fencing token grows with every holder"


def test_renewal_fails_once_somebody_else_took_over(control: ControlStore) -> None:
    lease = control.acquire_lease("leader", "a", now_ns=0, ttl_s=10)
    assert lease is not None
    renewed = control.renew_lease(lease, now_ns=5 * SECOND, ttl_s=10)
    assert renewed.expires_at_ns == 15 * SECOND
    assert control.acquire_lease("leader", "b", now_ns=16 * SECOND, ttl_s=10)
    with pytest.raises(LeaseLost, match="no longer held by a"):
        control.renew_lease(renewed, now_ns=17 * SECOND, ttl_s=10)


def test_expired_lease_cannot_be_renewed_even_if_nobody_took_it(control: ControlStore) -> None:
    lease = control.acquire_lease("leader", "a", now_ns=0, ttl_s=1)
    assert lease is not None
    with pytest.raises(LeaseLost):
        control.renew_lease(lease, now_ns=2 * SECOND, ttl_s=1)


def test_released_lease_is_free_at_once(control: ControlStore) -> None:
    lease = control.acquire_lease("leader", "a", now_ns=0, ttl_s=10)
    assert lease is not None
    control.release_lease(lease)
    assert control.acquire_lease("leader", "b", now_ns=1, ttl_s=10) is not None


def test_job_slot_is_claimed_once(control: ControlStore) -> None:
    assert control.claim_slot("train", 60, "a", 1)
    assert not control.claim_slot("train", 60, "b", 2)
    assert control.claim_slot("train", 120, "b", 3)


def test_cursor_never_moves_back(control: ControlStore) -> None:
    assert control.cursor("questdb") == 0
    control.advance("questdb", 7)
    control.advance("questdb", 3)
    assert control.cursor("questdb") == 7


def test_outbox_never_reuses_a_number_after_pruning(control: ControlStore) -> None:
    control.mirror([row(1), row(2)])
    last = control.outbox(0, 10)[-1].seq
    assert control.prune_outbox(last) == 2
    control.mirror([row(3)])
    assert control.outbox(0, 10)[0].seq > last


def test_everything_survives_closing_and_opening(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    first = ControlStore.open(url)
    first.append("order/a", [event(1)], expected_seq=0, mirror=[row(1)])
    first.close()
    second = ControlStore.open(url)
    assert len(second.read("order/a")) == 1
    assert len(second.outbox(0, 10)) == 1
    second.close()


@pytest.mark.parametrize("url", ["nonsense", "nosuchdb://x/y"])
def test_url_that_names_no_database_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"control\.url.*sqlite:///"):
        ControlStore.open(url)


def test_unwritable_place_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ControlUnavailable, match="unable to open"):
        ControlStore.open(f"sqlite:///{tmp_path / 'absent' / 'c.db'}")


class FaultyWriter:
    """A writer that fails as told, then takes rows."""

    def __init__(self, faults: Sequence[StoreError], refuse_fill: str | None = None) -> None:
        self.faults = list(faults)
        self.refuse_fill = refuse_fill
        self.taken: list[Row] = []

    async def write(self, rows: Sequence[Row]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        if any(row.columns.get("fill_id") == self.refuse_fill for row in rows if self.refuse_fill):
            raise StoreRejected("bad row")
        self.taken += rows


class NoWait:
    def next_wait_s(self) -> float:
        return 0.0

    def reset(self) -> None:
        self.was_reset = True


def mirror_of(control: ControlStore, writer: FaultyWriter) -> Mirror:
    return Mirror(control, OutboxFeed(control, 1_000_000), writer, SteppedClock(), NoWait(), rows_max=2)


async def test_mirror_carries_rows_in_order_and_moves_its_cursor_after_the_ack(control: ControlStore) -> None:
    control.mirror([row(n) for n in range(5)])
    writer = FaultyWriter([StoreUnavailable("away"), StoreUnavailable("still away")])
    await mirror_of(control, writer).drain()
    assert writer.taken == [row(n) for n in range(5)]
    assert control.cursor(CURSOR) == 5


async def test_row_that_is_refused_becomes_a_dead_letter_and_holds_up_no_other(control: ControlStore) -> None:
    control.mirror([row(n) for n in range(4)])
    writer = FaultyWriter([], refuse_fill="1")
    await mirror_of(control, writer).drain()
    assert [r.columns["fill_id"] for r in writer.taken if r.table == "fills"] == ["0", "2", "3"]
    (letter,) = control.dead_letters()
    assert (letter.subscription, letter.position, letter.error) == (CURSOR, 2, "bad row")
    assert load_row(letter.content) == row(1)
    assert [r.columns["content"] for r in writer.taken if r.table == "dead_letters"] == [letter.content]


async def test_mirror_that_was_cut_off_repeats_rather_than_loses(control: ControlStore) -> None:
    control.mirror([row(n) for n in range(3)])
    writer = FaultyWriter([])
    mirror = mirror_of(control, writer)
    await mirror.step()
    control.advance(CURSOR, 0)
    await mirror_of(control, writer).drain()
    assert {str(r.columns["fill_id"]) for r in writer.taken} == {"0", "1", "2"}


def test_store_that_is_closed_while_a_thread_still_writes_leaves_no_connection_open(tmp_path: Path) -> None:
    control = ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")
    began, closed = threading.Event(), threading.Event()
    used: list[object] = []

    def work() -> None:
        with control.transaction() as connection:
            used.append(connection.connection.dbapi_connection)
            began.set()
            closed.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    began.wait(10)
    control.close()
    closed.set()
    thread.join()
    (connection,) = used
    assert isinstance(connection, sqlite3.Connection)
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.execute("SELECT 1")


def test_reserved_lease_goes_to_who_claims_it_and_to_everybody_once_the_reservation_is_over(
    control: ControlStore,
) -> None:
    lease = control.acquire_lease("leader", "a", now_ns=0, ttl_s=10, claim="blue")
    assert lease is not None
    control.release_lease(lease, keep_for="green", until_ns=5 * SECOND)
    for holder, claim in (("a", "blue"), ("b", ""), ("c", "red")):
        assert control.acquire_lease("leader", holder, now_ns=SECOND, ttl_s=10, claim=claim) is None
    held, kept = control.lease("leader")
    assert (held, kept) == (Lease("leader", "a", 1, 0), Lease("leader/reserved", "green", 1, 5 * SECOND))
    assert control.acquire_lease("leader", "a", now_ns=5 * SECOND, ttl_s=10, claim="blue"), "nobody came for it"
    control.reserve_lease("leader", "green", 99 * SECOND)
    assert control.acquire_lease("leader", "g", now_ns=14 * SECOND, ttl_s=10, claim="green") is None, "it is held"
    assert control.acquire_lease("leader", "g", now_ns=16 * SECOND, ttl_s=10, claim="green")


def test_nothing_is_written_under_a_lease_that_was_let_go_or_taken_over(control: ControlStore) -> None:
    fence = Fence()
    behind = control.behind(fence)
    assert behind.append("s", [NewEvent("t", 0, {})], expected_seq=0) == 1, "who never led is held back by nothing"
    fence.lease = control.acquire_lease("leader", "a", now_ns=0, ttl_s=10)
    assert fence.lease is not None
    assert behind.append("s", [NewEvent("t", 0, {})], expected_seq=1) == 2
    control.release_lease(fence.lease)
    with pytest.raises(LeaseLost, match="let go"):
        behind.append("s", [NewEvent("t", 0, {})], expected_seq=2)
    assert control.acquire_lease("leader", "b", now_ns=SECOND, ttl_s=10) is not None
    with pytest.raises(LeaseLost, match="taken over"):
        behind.append("s", [NewEvent("t", 0, {})], expected_seq=2)
    assert control.append("s", [NewEvent("t", 0, {})], expected_seq=2) == 3
