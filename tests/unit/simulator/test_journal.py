"""Goal: what was answered is on disk; a killed exchange goes on where it was; a damaged journal is refused."""

from __future__ import annotations

import os
import resource
from decimal import Decimal
from pathlib import Path

import pytest

from ares.errors import StateDirUnusable
from simulator.journal import Journal
from simulator.matching.types import Accepted, Closed, Event, Filled

D = Decimal
OPENING = {"USDT": D("100.5"), "BTC": D(0)}
EVENTS: list[Event] = [
    Accepted(1, 5, "BTCUSDT", "BUY", "LIMIT", "one", "GTC", D("61837.63"), D("0.001"), D(0)),
    Filled(1, 6, 10**12, D("61837.63"), D("0.0004"), maker=True, fee=D("0.0000004"), fee_asset="BTC"),
    Closed(1, 7, "CANCELED", "c-1"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "exchange" / "journal.jsonl"


def written(path: Path) -> None:
    journal = Journal(path)
    assert journal.open(OPENING) == (OPENING, [])
    journal.append(EVENTS[:1])
    journal.append(EVENTS[1:])
    journal.close()


def test_journal_gives_back_what_was_written_whatever_the_configured_balances(path: Path) -> None:
    written(path)
    journal = Journal(path)
    assert journal.open({"USDT": D(1)}) == (OPENING, EVENTS)
    journal.close()
    journal.close()


def test_line_cut_off_by_a_crash_is_removed_and_the_journal_goes_on(path: Path) -> None:
    written(path)
    os.truncate(path, path.stat().st_size - 5)
    journal = Journal(path)
    assert journal.open(OPENING)[1] == EVENTS[:1]
    journal.append(EVENTS[1:])
    journal.close()
    again = Journal(path)
    assert again.open(OPENING)[1] == EVENTS
    again.close()


@pytest.mark.parametrize("damage", [b"garbage\n", b'{"events":[{"event":"unknown"}]}\n', b'{"events":[{}]}\n'])
def test_damaged_journal_is_refused(damage: bytes, path: Path) -> None:
    written(path)
    with path.open("ab") as file:
        file.write(damage)
    with pytest.raises(StateDirUnusable, match="is not an exchange journal"):
        Journal(path).open(OPENING)


def test_file_of_something_else_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("hello\n")
    with pytest.raises(StateDirUnusable, match="is not an exchange journal"):
        Journal(path).open(OPENING)


def test_second_exchange_on_the_same_state_is_refused(path: Path) -> None:
    first = Journal(path)
    first.open(OPENING)
    with pytest.raises(StateDirUnusable, match="another exchange writes to it"):
        Journal(path).open(OPENING)
    first.close()


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "exchange").write_text("a file")
    with pytest.raises(StateDirUnusable):
        Journal(tmp_path / "exchange" / "journal.jsonl").open(OPENING)


def test_write_that_fails_is_an_error_and_leaves_nothing_behind(path: Path) -> None:
    journal = Journal(path)
    journal.open(OPENING)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))
    try:
        with pytest.raises(StateDirUnusable):
            journal.append(EVENTS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.append(EVENTS[:1])
    journal.close()
    again = Journal(path)
    assert again.open(OPENING)[1] == EVENTS[:1]
    again.close()
