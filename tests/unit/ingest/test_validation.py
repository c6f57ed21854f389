"""What is plausible passes, what is not names its field."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ares.clock import NANOS_PER_SECOND
from ares.model.market import Bar, Book, Quote, Trade
from ingest.validation import REFUSALS_TO_REBASE, Limits, Validator, bar_fault

NOW_NS = 1_700_000_000 * NANOS_PER_SECOND
TRADE = Trade("sim", "BTC/USDT", "7", 7, "buy", 100.0, 1.0, NOW_NS, NOW_NS, "stream")
QUOTE = Quote("sim", "BTC/USDT", 7, 99.0, 1.0, 101.0, 1.0, NOW_NS, NOW_NS, "receipt")
BOOK = Book("sim", "BTC/USDT", 7, ((99.0, 1.0), (98.0, 1.0)), ((101.0, 1.0), (102.0, 1.0)), NOW_NS, NOW_NS, "venue")
BAR = Bar("sim", "BTC/USDT", NOW_NS, 100.0, 102.0, 99.0, 101.0, 5.0, 500.0, 9, 2.0, NOW_NS)


def fault_field(event: Trade | Quote | Book) -> str | None:
    fault = Validator(Limits(60.0, 10.0)).fault_of(event, NOW_NS)
    return None if fault is None else fault.field


@pytest.mark.parametrize("event", [TRADE, QUOTE, BOOK])
def test_sound_events_pass(event: Trade | Quote | Book) -> None:
    assert fault_field(event) is None


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_prices_and_amounts_must_be_finite_and_positive(value: float) -> None:
    assert fault_field(replace(TRADE, price=value)) == "price"
    assert fault_field(replace(TRADE, amount=value)) == "amount"
    assert fault_field(replace(QUOTE, bid=value)) == "bid"
    assert fault_field(replace(QUOTE, ask_amount=value)) == "ask_amount"
    assert fault_field(replace(BOOK, bids=((value, 1.0),))) == "bids"
    assert fault_field(replace(BOOK, asks=((101.0, value),))) == "asks"


def test_event_beyond_our_clock_is_refused_and_one_just_within_the_limit_passes() -> None:
    assert fault_field(replace(TRADE, ts_ns=NOW_NS + 61 * NANOS_PER_SECOND)) == "ts"
    assert fault_field(replace(TRADE, ts_ns=NOW_NS + 60 * NANOS_PER_SECOND)) is None


def test_crossed_quote_and_crossed_book_are_refused() -> None:
    assert fault_field(replace(QUOTE, bid=101.0)) == "bid"
    assert fault_field(replace(BOOK, bids=((101.0, 1.0),))) == "bids"


def test_book_must_have_both_sides_best_first() -> None:
    assert fault_field(replace(BOOK, asks=())) == "asks"
    assert fault_field(replace(BOOK, bids=((98.0, 1.0), (99.0, 1.0)))) == "bids"
    assert fault_field(replace(BOOK, asks=((101.0, 1.0), (101.0, 1.0)))) == "asks"


def test_price_jump_is_refused_until_the_market_insists() -> None:
    validator = Validator(Limits(60.0, 10.0))
    assert validator.fault_of(TRADE, NOW_NS) is None
    jumped = replace(TRADE, price=2_000.0)
    for _ in range(REFUSALS_TO_REBASE):
        fault = validator.fault_of(jumped, NOW_NS)
        assert fault is not None
        assert fault.field == "price"
    assert validator.fault_of(jumped, NOW_NS) is None


def test_one_wrong_price_does_not_move_the_reference() -> None:
    validator = Validator(Limits(60.0, 10.0))
    validator.fault_of(TRADE, NOW_NS)
    assert validator.fault_of(replace(TRADE, price=5.0), NOW_NS) is not None
    assert validator.fault_of(replace(TRADE, price=101.0), NOW_NS) is None
    assert validator.jumps_in_a_row == {}


def test_symbols_do_not_share_a_reference_price() -> None:
    validator = Validator(Limits(60.0, 10.0))
    validator.fault_of(TRADE, NOW_NS)
    assert validator.fault_of(replace(TRADE, symbol="DOGE/USDT", price=0.1), NOW_NS) is None


def test_candle_must_hold_its_own_prices() -> None:
    assert bar_fault(BAR) is None
    assert bar_fault(replace(BAR, open=float("nan"))) is not None
    assert bar_fault(replace(BAR, high=100.5)) is not None
    assert bar_fault(replace(BAR, volume=-1.0)) is not None
