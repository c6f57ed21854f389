"""Goal: on PostgreSQL the control store keeps every promise that it keeps on SQLite; the same tests, another store."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import delete

from ares.control import AuditEntry, ControlStore, NewEvent
from ares.control.schema import EVENTS as STREAM_EVENTS
from ares.control.store import one_writer
from ares.errors import ControlUnavailable, SequenceConflict
from tests.conftest import free_port
from tests.helpers import missing
from tests.postgres import INSTALL, RunningPostgres, postgres_bin, running_postgres
from tests.unit.ares.test_control import (  # noqa: F401 - collected here, with the store of this file
    test_append_at_the_wrong_place_is_refused_and_mirrors_nothing,
    test_cursor_never_moves_back,
    test_event_and_its_mirror_rows_are_one_transaction,
    test_expired_lease_cannot_be_renewed_even_if_nobody_took_it,
    test_job_slot_is_claimed_once,
    test_lease_has_one_holder_until_it_runs_out,
    test_mirror_carries_rows_in_order_and_moves_its_cursor_after_the_ack,
    test_mirror_that_was_cut_off_repeats_rather_than_loses,
    test_outbox_never_reuses_a_number_after_pruning,
    test_released_lease_is_free_at_once,
    test_renewal_fails_once_somebody_else_took_over,
    test_row_that_is_refused_becomes_a_dead_letter_and_holds_up_no_other,
    test_stream_reads_back_in_order_with_its_payload,
    test_streams_are_listed_by_prefix_in_order_of_birth,
)

WRITERS, EVENTS = 6, 25


@pytest.fixture(scope="module")
def postgres() -> Iterator[RunningPostgres]:
    programs = postgres_bin()
    if programs is None:
        missing(f"PostgreSQL is not installed: {INSTALL}")
    with running_postgres(free_port(), programs) as server:
        yield server


@pytest.fixture
def url(postgres: RunningPostgres) -> str:
    return postgres.database()


@pytest.fixture
def control(url: str) -> Iterator[ControlStore]:
    store = ControlStore.open(url)
    yield store
    store.close()


def test_stores_of_many_processes_may_be_opened_at_the_same_moment(url: str) -> None:
    failures: list[BaseException] = []

    def open_it() -> None:
        try:
            ControlStore.open(url).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_reader_of_the_log_never_passes_an_event_of_a_slower_writer(url: str) -> None:
    """Positions are given out before the commit: without one writer at a time a later one could be seen first."""
    stores = [ControlStore.open(url) for _ in range(WRITERS)]
    seen: list[int] = []
    ended = threading.Event()

    def write(number: int) -> None:
        for n in range(EVENTS):
            stores[number].append(f"till/{number}", [NewEvent("paid", 1, {"n": n})], expected_seq=n)

    def read() -> None:
        reader = ControlStore.open(url)
        while not ended.is_set() or len(seen) < WRITERS * EVENTS:
            seen.extend(event.position for event in reader.log(seen[-1] if seen else 0, 1_000))
        reader.close()

    writers = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
    reader = threading.Thread(target=read)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    reader.join(30)
    assert len(seen) == WRITERS * EVENTS
    assert seen == sorted(set(seen))
    for store in stores:
        store.close()


def test_a_writer_that_is_frozen_keeps_nobody_from_leading_and_what_it_wrote_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ares.control.postgres.FROZEN_MS_MAX", 500)
    frozen, other = ControlStore.open(url), ControlStore.open(url)
    other.append("account-1", [NewEvent("asked", 1, {})], expected_seq=0)

    def freezes() -> None:
        with frozen.transaction() as connection:
            one_writer(connection)
            connection.execute(delete(STREAM_EVENTS))
            assert other.acquire_lease("trader/paper", "green", 1, 15.0) is not None
            other.append("account-1", [NewEvent("taken", 2, {})], expected_seq=1)

    with pytest.raises(ControlUnavailable):
        freezes()
    assert [each.type for each in other.read("account-1")] == ["asked", "taken"]
    frozen.close()
    other.close()


def test_one_of_many_writers_wins_a_place(url: str) -> None:
    stores = [ControlStore.open(url) for _ in range(WRITERS)]
    won: list[int] = []

    def contend(number: int) -> None:
        try:
            stores[number].append("till/a", [NewEvent("paid", 1, {"n": number})], expected_seq=0)
            won.append(number)
        except SequenceConflict:
            return

    threads = [threading.Thread(target=contend, args=(n,)) for n in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    for store in stores:
        store.close()


def test_audit_chains_and_everything_else_survive_closing_and_opening(url: str) -> None:
    first = ControlStore.open(url)
    entry = AuditEntry("config", "anna", "limit", 1, before={"limit": 1}, after={"limit": 2}, why="because")
    first.append("limits/a", [NewEvent("raised", 1, {"n": 1})], expected_seq=0, audit=[entry])
    links = list(first.audit_links())
    first.close()
    second = ControlStore.open(url)
    assert [event.type for event in second.read("limits/a")] == ["raised"]
    assert list(second.audit_links()) == links
    assert [entry.row.table for entry in second.outbox(0, 10)] == ["audit"]
    second.close()


def test_a_server_that_is_away_is_one_clear_error_without_its_password(port: int) -> None:
    with pytest.raises(ControlUnavailable) as away:
        ControlStore.open(f"postgresql+psycopg://ares:hunter2hunter2@127.0.0.1:{port}/ares?connect_timeout=2")
    assert "hunter2" not in str(away.value)
