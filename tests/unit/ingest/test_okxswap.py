"""OKX swaps by their documentation and by the recorded listing: contracts, candles, funding.

https://www.okx.com/docs-v5/en/#public-data as of 2026-11.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import NANOS_PER_MILLI
from ares.errors import MalformedFrame
from ares.model.market import Quote, Trade
from ingest.books import BookRoom, BookUpdate
from ingest.contracts import InBase, Size, sizes_of
from ingest.feed import MarketEvent
from ingest.funding import FundingUpdate
from ingest.venues.okxswap.dialect import SwapDialect
from ingest.venues.okxswap.rest import SwapWords
from ingest.venues.rest import Asked, FundingWords, channels_of
from ingest.venues.wire import Names
from tests.conformance.venues.okxswap import MARK, RATE
from tests.property.test_okx_frames import BOOKS, TRADES, needs_recording

LISTING = Path(__file__).resolve().parents[4] / "shared" / "data" / "raw_ws" / "cryptofeed" / "OKX.0.gz"
NAMES = Names("okxswap", {"BTC-USDT-SWAP": "BTC/USDT:USDT", "UNI-USD-SWAP": "UNI/USD:UNI"})
NOW_NS = 1_700_724_700_000_000_000
ASKED = Asked("okxswap", "BTC/USDT:USDT", "BTC-USDT-SWAP", NOW_NS)
DIALECT, WORDS = SwapDialect(), SwapWords()
LINEAR = {
    "instId": "BTC-USDT-SWAP", "instType": "SWAP", "baseCcy": "", "quoteCcy": "", "settleCcy": "USDT",
    "ctType": "linear", "ctVal": "0.01", "ctMult": "1", "tickSz": "0.1", "lotSz": "0.01", "state": "live",
}  # fmt: skip
INVERSE = {
    **LINEAR, "instId": "UNI-USD-SWAP", "settleCcy": "UNI", "ctType": "inverse", "ctVal": "10", "tickSz": "0.001",
    "lotSz": "1",
}  # fmt: skip


def in_base(*listings: Mapping[str, object]) -> InBase:
    return InBase(
        sizes_of(
            WORDS.read_instrument({"info": listing}, "okxswap", NAMES.symbol(str(listing["instId"])))
            for listing in listings
        )
    )


def test_a_funding_rate_is_of_the_payment_that_comes_and_a_mark_price_says_nothing_of_it() -> None:
    (rate,) = DIALECT.decode("funding", RATE, NAMES, NOW_NS)
    (mark,) = DIALECT.decode("funding", MARK, NAMES, NOW_NS)
    assert isinstance(rate, FundingUpdate)
    assert isinstance(mark, FundingUpdate)
    assert (rate.rate, rate.funding_at_ns) == (0.0001875391284828, 1_700_726_400_000 * NANOS_PER_MILLI)
    assert (rate.mark_price, rate.confirms_rate) == (None, True)
    assert (mark.mark_price, mark.rate, mark.confirms_rate) == (42_310.6, None, False)
    assert mark.ts_ns == 1_700_724_676_000 * NANOS_PER_MILLI


def test_a_message_of_another_stream_is_refused() -> None:
    with pytest.raises(MalformedFrame) as refused:
        DIALECT.decode("funding", RATE.replace(b"funding-rate", b"tickers"), NAMES, NOW_NS)
    assert refused.value.field == "channel"


def test_rates_and_mark_prices_share_a_subscription_on_the_public_address() -> None:
    (message,) = DIALECT.opening("funding", NAMES, levels=20)
    topics = [(arg["channel"], arg["instId"]) for arg in orjson.loads(message)["args"]]
    assert topics == [
        (topic, name) for topic in ("funding-rate", "mark-price") for name in ("BTC-USDT-SWAP", "UNI-USD-SWAP")
    ]
    assert DIALECT.address(None, "funding") == "wss://ws.okx.com:8443/ws/v5/public"
    assert DIALECT.address(None, "trades") == "wss://ws.okx.com:8443/ws/v5/business"


def test_what_was_paid_is_the_realized_rate_at_its_moment() -> None:
    row = {
        "fundingRate": "0.00007466",
        "fundingTime": "1703059200000",
        "instId": "BTC-USDT-SWAP",
        "realizedRate": "-0.001",
    }
    (funding,) = WORDS.read_funding({"code": "0", "data": [row]}, ASKED)
    assert (funding.kind, funding.rate, funding.mark_price) == ("settled", -0.001, None)
    assert funding.ts_ns == funding.funding_at_ns == 1_703_059_200_000 * NANOS_PER_MILLI
    question = WORDS.funding("BTC-USDT-SWAP", 1_703_059_200_000 * NANOS_PER_MILLI, 1_703_062_800_000 * NANOS_PER_MILLI)
    assert question.params["before"] == 1_703_059_199_999


def test_the_words_make_the_channel() -> None:
    assert isinstance(WORDS, FundingWords)
    assert list(channels_of(WORDS)) == ["trades", "quotes", "books", "funding"]


def test_a_candle_has_the_volume_in_the_base_currency() -> None:
    row = ["1597026360000", "42000", "42010", "41990", "42005", "628", "6.28", "263791.4", "1"]
    (bar,) = WORDS.read_bars({"code": "0", "data": [row]}, ASKED)
    assert (bar.volume, bar.cost) == (6.28, 263_791.4)


def test_a_linear_swap_has_its_step_in_the_base_currency() -> None:
    swap = WORDS.read_instrument({"info": LINEAR, "maker": 0.0002, "taker": 0.0005}, "okxswap", "BTC/USDT:USDT")
    assert (swap.base, swap.quote, swap.venue_symbol, swap.active) == ("BTC", "USDT", "BTC-USDT-SWAP", True)
    assert (swap.contract, swap.contract_size) == ("linear", Decimal("0.01"))
    assert (swap.price_tick, swap.amount_step, swap.taker_fee) == (Decimal("0.1"), Decimal("0.0001"), Decimal("0.0005"))


def test_an_inverse_swap_has_no_step_in_the_base_currency() -> None:
    swap = WORDS.read_instrument({"info": INVERSE}, "okxswap", "UNI/USD:UNI")
    assert (swap.base, swap.quote) == ("UNI", "USD")
    assert (swap.contract, swap.contract_size, swap.amount_step) == ("inverse", Decimal(10), Decimal(0))


@pytest.mark.parametrize("value", ["0", "-1", "1E+99999999", "1E-99999999", "NaN", "Infinity", "x", None])
def test_a_contract_of_no_size_is_refused(value: object) -> None:
    with pytest.raises(MalformedFrame):
        WORDS.read_instrument({"info": {**LINEAR, "ctVal": value}}, "okxswap", "BTC/USDT:USDT")


@pytest.mark.skipif(not LISTING.exists(), reason="the recorded listing OKX.0.gz is not here")
def test_every_swap_that_the_venue_listed_is_read() -> None:
    with gzip.open(LISTING, "rb") as lines:
        answers = [line.partition(b": ")[2] for line in lines if b"instType=SWAP" in line]
    listed = orjson.loads(answers[0])["data"]
    kinds = []
    for info in listed:
        base, quote, _ = info["instId"].split("-")
        swap = WORDS.read_instrument({"info": info}, "okxswap", f"{base}/{quote}:{info['settleCcy']}")
        assert swap.contract_size is not None
        assert swap.contract_size > 0
        kinds.append(swap.contract)
    assert len(kinds) == 166
    assert {"linear", "inverse"} == set(kinds)


def test_contracts_become_amounts_of_the_base_currency() -> None:
    assert Size.of(Decimal("0.01"), inverse=False).base(3, 60_000.0) == 0.03
    assert Size.of(Decimal("0.1"), inverse=False).base(7, 60_000.0) == 0.7
    assert Size.of(Decimal(100), inverse=True).base(3, 60_000.0) == 0.005
    assert Size.of(Decimal(100), inverse=True).base(3, 0.0) != Size.of(Decimal(100), inverse=True).base(3, 0.0)


@given(
    contracts=st.integers(1, 10**6),
    size=st.sampled_from(["0.0001", "0.001", "0.01", "0.1", "1", "10", "100", "1000"]),
)
def test_whole_contracts_become_the_number_that_one_would_write(contracts: int, size: str) -> None:
    assert Size.of(Decimal(size), inverse=False).base(contracts, 1.0) == float(contracts * Decimal(size))


STREAMED = (
    b'{"arg":{"channel":"trades-all","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"7",'
    b'"px":"42219.9","sz":"12","side":"buy","source":"0","ts":"1630048897897"}]}'
)
ROW = {"instId": "BTC-USDT-SWAP", "side": "buy", "sz": "12", "source": "0", "px": "42219.9", "tradeId": "7"}


def test_stream_rest_and_columns_have_one_amount_of_a_trade() -> None:
    base = in_base(LINEAR)
    (streamed,) = base.events(DIALECT.decode("trades", STREAMED, NAMES, NOW_NS))
    asked = base.trade(WORDS.read_trade({**ROW, "ts": "1630048897897"}, ASKED))
    runs = DIALECT.runs([STREAMED], NAMES, [NOW_NS])
    assert runs is not None
    assert isinstance(streamed, Trade)
    assert streamed.amount == asked.amount == base.run(runs[0]).amounts[0] == 0.12


def test_quotes_are_in_the_base_currency_and_symbols_without_contracts_are_left_alone() -> None:
    top = (
        b'{"arg":{"channel":"bbo-tbt","instId":"UNI-USD-SWAP"},"data":[{"asks":[["5.000","10","0","3"]],'
        b'"bids":[["4.000","2","0","1"]],"ts":"1597026383085","seqId":363996337}]}'
    )
    events = DIALECT.decode("quotes", top, NAMES, NOW_NS)
    (quote,) = in_base(INVERSE).events(events)
    assert isinstance(quote, Quote)
    assert (quote.bid_amount, quote.ask_amount) == (5.0, 20.0)
    assert list(in_base(LINEAR).events(events)) == list(events)
    assert in_base().events(events) is events


@needs_recording
def test_recorded_books_of_an_inverse_swap_keep_the_venues_checksum_and_are_in_the_base_currency() -> None:
    rules, base = DIALECT.book_rules, in_base(INVERSE)
    raw, turned = (BookRoom(rules.follows, 20, 0, rules.checksum) for _ in range(2))
    frames = [frame for frame in BOOKS if b'"UNI-USD-SWAP"' in frame]
    for frame in frames:
        for event in DIALECT.decode("books", frame, NAMES, NOW_NS):
            (update,) = base.events([event])
            assert isinstance(event, BookUpdate)
            assert isinstance(update, BookUpdate)
            assert raw.take(event) is None
            assert turned.take(update) is None
    before, after = raw.books["UNI/USD:UNI"].top(20, NOW_NS), turned.books["UNI/USD:UNI"].top(20, NOW_NS)
    assert before is not None
    assert after is not None
    assert after.bids == tuple((price, contracts * 10 / 1 / price) for price, contracts in before.bids)
    assert len(frames) == 93


@needs_recording
def test_recorded_trades_of_an_inverse_swap_cost_ten_dollars_a_contract() -> None:
    frames = [frame for frame in TRADES if b'"UNI-USD-SWAP"' in frame]
    events: list[MarketEvent] = [event for frame in frames for event in DIALECT.decode("trades", frame, NAMES, NOW_NS)]
    assert len(events) == 1, "the recording has no more"
    for contracts, turned in zip(events, in_base(INVERSE).events(events), strict=True):
        assert isinstance(contracts, Trade)
        assert isinstance(turned, Trade)
        assert turned.amount * turned.price == pytest.approx(contracts.amount * 10)


@given(value=st.none() | st.text(max_size=6) | st.floats() | st.integers(), place=st.integers(0, 10))
def test_a_listing_or_payment_with_one_field_spoiled_is_read_or_refused(value: object, place: int) -> None:
    spoiled = {**LINEAR, list(LINEAR)[place % len(LINEAR)]: value}
    with suppress(MalformedFrame):
        assert WORDS.read_instrument({"info": spoiled}, "okxswap", "BTC/USDT:USDT").contract_size
    row = {"fundingTime": "1703059200000", "realizedRate": "-0.001"}
    with suppress(MalformedFrame):
        WORDS.read_funding({"data": [{**row, list(row)[place % 2]: value}]}, ASKED)
