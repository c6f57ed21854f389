"""Goal: what was answered is on disk; a killed exchange goes on where it was; a damaged journal is refused."""

from __future__ import annotations

import os
import resource
from decimal import Decimal
from pathlib import Path

import pytest

from ares.errors import StateDirUnusable
from simulator.journal import Journal
from simulator.matching.types import Accepted, Amended, Closed, Event, Filled, Tracked, Triggered

D = Decimal
OPENING = {"USDT": D("100.5"), "BTC": D(0)}
EVENTS: list[Event] = [
    Accepted(1, 5, "BTCUSDT", "BUY", "LIMIT", "one", "GTC", D("61837.63"), D("0.001"), D(0)),
    Filled(1, 6, 10**12, D("61837.63"), D("0.0004"), maker=True, fee=D("0.0000004"), fee_asset="BTC"),
    Closed(1, 7, "CANCELED", "c-1"),
    Accepted(
        *(2, 8, "BTCUSDT", "SELL", "STOP_LOSS", "two", "GTC", D(0), D("0.002"), D(0)),
        stop_price=D("60000.5"),
        trailing_delta=100,
        hold_price=D("60000.5"),
        list_id=1,
        list_client_id="pair",
    ),
    Amended(2, 9, D("0.001"), "two-a"),
    Tracked(2, 10, D("60000.4")),
    Triggered(2, 11, D("59400.1")),
    Closed(2, 12, "EXPIRED", reason="INSUFFICIENT_LIQUIDITY"),
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


def test_journal_from_before_contingent_orders_is_read(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(
        '{"opening":{"USDT":"100.5"}}\n'
        '{"events":[{"event":"accepted","order_id":1,"ts_ms":5,"symbol":"BTCUSDT","side":"BUY","type":"LIMIT",'
        '"client_id":"one","time_in_force":"GTC","price":"61837.63","amount":"0.001","quote_amount":"0"},'
        '{"event":"closed","order_id":1,"ts_ms":7,"status":"CANCELED","cancel_id":"c-1"}]}\n',
        encoding="utf-8",
    )
    journal = Journal(path)
    assert journal.open({}) == ({"USDT": D("100.5")}, [EVENTS[0], EVENTS[2]])
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
