"""ccxt's unified structures: whatever one of its parsers makes of a frame, it is a sound event or refused."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import urlsplit

import ccxt.pro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import SystemClock
from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import ConfigError, MalformedFrame
from ares.model.market import Book, Quote, Trade
from ares.store.lines import Lines
from ingest.feed import Channel, Frame
from ingest.validation import Limits, Validator
from ingest.venues.ccxt.client import create_exchange, moved
from ingest.venues.ccxt.decoder import decode_instrument, seq_of
from ingest.venues.ccxt.feed import CcxtFeed, top_of
from ingest.venues.ccxt.words import CcxtWords
from ingest.venues.rest import Asked
from ingest.venues.rest_history import RestHistory
from ingest.venues.wire import Names

NOW_NS = 1_800_000_000_000_000_000
ASKED = Asked("k", "BTC/USD", "BTC/USD", NOW_NS)
LINES = Lines()
SOUND: Mapping[Channel, dict[str, object]] = {
    "trades": {
        "symbol": "BTC/USD", "id": "61044952", "timestamp": 1_688_669_597_827, "side": "buy", "price": 30_243.4,
        "amount": 0.34507674, "takerOrMaker": None, "info": {"ord_type": "market"}, "fee": None,
    },
    "quotes": {
        "symbol": "BTC/USD", "timestamp": None, "bid": 99.5, "bidVolume": 1.0, "ask": 100.5, "askVolume": 2.0,
        "last": None, "info": {},
    },
    "books": {"symbol": "BTC/USD", "timestamp": 1_688_669_597_827, "bids": [[99.5, 1.0]], "asks": [[100.5, 2.0]]},
}  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["BTC/USD", "1", "sell"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "bids", "price"]), inner),
    max_leaves=8,
)


def feed() -> CcxtFeed:
    """A feed that is connected to nothing."""
    there = CcxtFeed("k", VenueConfig(protocol="ccxt", ccxt_id="kraken"), IngestConfig(venue="k"), SystemClock())
    there._names = Names("k", {"BTC/USD": "BTC/USD"})
    return there


FEED = feed()


@pytest.mark.parametrize(("channel", "kind"), [("trades", Trade), ("quotes", Quote), ("books", Book)])
def test_a_sound_structure_is_understood(channel: Channel, kind: type[object]) -> None:
    (event,) = FEED.decode(Frame(channel, SOUND[channel], NOW_NS))
    assert isinstance(event, kind)


@given(channel=st.sampled_from(sorted(SOUND)), place=st.integers(0, 8), value=JSON)
def test_a_structure_with_a_field_spoiled_is_a_storable_event_or_refused(
    channel: Channel, place: int, value: object
) -> None:
    sound = SOUND[channel]
    spoiled = {**sound, list(sound)[place % len(sound)]: value}
    for payload in (spoiled, value):
        try:
            events = FEED.decode(Frame(channel, payload, NOW_NS))
        except MalformedFrame:
            continue
        for event in events:
            assert isinstance(event, Trade | Quote | Book)
            if Validator(Limits(60.0, 10.0)).fault_of(event, NOW_NS) is None:
                assert LINES.of([event])


@given(value=JSON)
def test_whatever_rest_answers_is_read_or_refused(value: object) -> None:
    words = CcxtWords("kraken")
    for read in (words.rows_of, lambda said: words.read_bars(said, ASKED), lambda said: words.read_trade(said, ASKED)):
        for said in (value, [value]):
            try:
                read(said)
            except MalformedFrame:
                continue


@given(ids=st.lists(st.uuids().map(str), min_size=1, max_size=9, unique=True))
def test_the_newest_trade_is_the_last_in_time_whatever_its_id(ids: list[str]) -> None:
    class Client:
        last_response_headers = None

        async def fetch_trades(self, symbol: str) -> object:
            return [{**SOUND["trades"], "symbol": symbol, "id": key, "timestamp": 7 + at} for at, key in enumerate(ids)]

        async def load_markets(self) -> dict[str, dict[str, object]]:
            return {}

        async def close(self) -> None:
            return

    config = VenueConfig(protocol="ccxt", ccxt_id="kraken")
    names = {"BTC/USD": "BTC/USD"}
    history = RestHistory("k", CcxtWords("kraken"), config, names, SystemClock(), client=Client())
    latest = asyncio.run(history.latest_trade("BTC/USD"))
    assert latest is not None
    assert latest.trade_id == ids[-1]


@given(text=st.text(min_size=1, max_size=100))
def test_the_order_of_a_trade_is_its_ids_alone_and_fits_the_store(text: str) -> None:
    assert seq_of(text) == seq_of(text)
    assert 0 <= seq_of(text) < 2**63


def test_an_id_that_is_a_number_is_its_order() -> None:
    assert seq_of("61044952") == 61_044_952
    assert seq_of("8c931d9a-b703-5c34-9aeb-860867cf1f66") != seq_of("307fb58f-09dc-5121-b24f-eb2f81873445")
    assert seq_of("٣") > 2**32, "digits of other scripts are text"


@pytest.mark.parametrize("field", ["id", "side", "timestamp"])
def test_a_trade_that_cannot_be_told_from_others_is_refused(field: str) -> None:
    with pytest.raises(MalformedFrame):
        FEED.decode(Frame("trades", {**SOUND["trades"], field: None}, NOW_NS))


def test_a_side_without_a_price_is_no_quote_and_a_book_without_a_side_no_top() -> None:
    assert list(FEED.decode(Frame("quotes", {**SOUND["quotes"], "bid": None}, NOW_NS))) == []
    assert top_of({"bids": [[99.5, 1.0, 7]], "asks": []}, "BTC/USD", 5) is None
    top = top_of({"bids": [[99.5, 1.0, 7]], "asks": [[100.5, 2.0, 8]], "timestamp": None}, "BTC/USD", 5)
    assert top == {"symbol": "BTC/USD", "timestamp": None, "bids": [[99.5, 1.0]], "asks": [[100.5, 2.0]]}


@pytest.mark.parametrize(
    ("precision", "told", "step"),
    [("step", 0.1, "0.1"), ("places", 2, "0.01"), ("digits", 5, "0"), ("step", None, "0")],
)
def test_steps_are_ccxts_precision(precision: str, told: object, step: str) -> None:
    market = {"base": "BTC", "quote": "USD", "precision": {"price": told, "amount": 1}, "limits": {"cost": {"min": 5}}}
    instrument = CcxtWords("x", precision).read_instrument(market, "k", "BTC/USD")  # type: ignore[arg-type]
    assert (instrument.price_tick, instrument.cost_min) == (Decimal(step), Decimal(5))
    assert instrument.active


def test_a_market_that_says_nothing_of_itself_is_refused() -> None:
    with pytest.raises(MalformedFrame):
        decode_instrument({}, "k", "BTC/USD", "step")


def test_every_address_moves_and_keeps_its_path() -> None:
    urls = {"public": "https://api.x.com/v3", "ws": {"spot": "wss://stream.x.com:9443/stream/ws"}, "version": 3}
    here = {"public": "http://h:1/v3", "ws": {"spot": "ws://h:2/stream/ws"}, "version": 3}
    assert moved(urls, "http://h:1/", "ws://h:2") == here
    assert moved(urls, None, None) == urls


@pytest.mark.parametrize("ccxt_id", ccxt.pro.exchanges)
def test_an_exchange_keeps_its_trades_where_they_are_taken_and_calls_nobody_else(ccxt_id: str) -> None:
    here = VenueConfig(protocol="ccxt", ccxt_id=ccxt_id, rest_url="http://127.0.0.1:1", ws_url="ws://127.0.0.1:2")
    exchange = create_exchange("k", here)
    assert set(map(host_of, addresses(exchange.urls["api"]))) <= {"http://127.0.0.1:1", "ws://127.0.0.1:2"}
    of_pro = [each for each in type(exchange).__mro__ if each.__module__.startswith("ccxt.pro.")]
    assert not exchange.has.get("watchTrades") or any("self.trades[" in inspect.getsource(each) for each in of_pro)


def addresses(urls: object) -> list[str]:
    """All that are named anywhere."""
    if isinstance(urls, dict):
        return [address for inner in urls.values() for address in addresses(inner)]
    return [urls] if isinstance(urls, str) else []


def host_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def test_an_exchange_that_ccxt_does_not_have_is_a_usage_error_with_near_names() -> None:
    with pytest.raises(ConfigError, match=r"venues\.k\.ccxt_id.*kraken"):
        CcxtFeed("k", VenueConfig(protocol="ccxt", ccxt_id="krakn"), IngestConfig(), SystemClock())
    sandbox = VenueConfig(protocol="ccxt", ccxt_id="kraken", ccxt_sandbox=True)
    with pytest.raises(ConfigError, match=r"venues\.k\.ccxt_sandbox"):
        CcxtFeed("k", sandbox, IngestConfig(), SystemClock())


@pytest.mark.parametrize("settings", [{"protocol": "ccxt"}, {"protocol": "okx", "ccxt_id": "okx"}])
def test_the_exchanges_name_is_needed_with_ccxt_and_only_there(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="ccxt_id"):
        VenueConfig.model_validate(settings)
