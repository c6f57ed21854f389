"""Whatever a venue sends, decoders answer with market data or `MalformedFrame`, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import MalformedFrame
from ares.model.market import Book, Quote, Trade
from ingest.feed import Frame, Rejected, raw_text
from ingest.validation import Limits, Validator
from ingest.venues.binance.decoder import (
    decode_bar,
    decode_book,
    decode_instrument,
    decode_quote,
    decode_trade,
)
from ingest.venues.wire import Names

NAMES = Names("sim", {"BTCUSDT": "BTC/USDT"})
NOW_NS = 1_700_000_000_000_000_000
KEYS = st.sampled_from(["a", "p", "q", "T", "m", "s", "u", "b", "B", "A", "E", "bids", "asks", "filters", "symbol"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["BTCUSDT", "1.5", "0", "nan"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=8),
    max_leaves=20,
)
TRADE = {"a": 7, "p": "100.5", "q": "0.25", "T": 1_700_000_000_000, "m": True, "s": "BTCUSDT"}
QUOTE = {"u": 7, "s": "BTCUSDT", "b": "99", "B": "1", "a": "101", "A": "2"}
BOOK = {"u": 7, "s": "BTCUSDT", "E": 1_700_000_000_000, "bids": [[99.0, 1.0]], "asks": [[101.0, 2.0]]}
LISTING = {
    "symbol": "BTCUSDT",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001"},
        {"filterType": "NOTIONAL", "minNotional": "5"},
    ],
}
KLINE = [1_700_000_000_000, "1", "2", "1", "2", "3", 1_700_000_059_999, "4", 5, "2", "3", "0"]
DECODERS: Mapping[str, tuple[Callable[[object], object], object]] = {
    "trade": (lambda payload: decode_trade(payload, NAMES, NOW_NS), TRADE),
    "quote": (lambda payload: decode_quote(payload, NAMES, NOW_NS), QUOTE),
    "book": (lambda payload: decode_book(payload, NAMES, NOW_NS), BOOK),
    "bar": (lambda payload: decode_bar(payload, "sim", "BTC/USDT", NOW_NS), KLINE),
    "instrument": (lambda payload: decode_instrument(payload, "sim", "BTC/USDT", (None, 0.002)), LISTING),
}


@pytest.mark.parametrize("kind", DECODERS)
@given(payload=JSON)
def test_garbage_raises_nothing_but_malformed_frame(kind: str, payload: object) -> None:
    decode, _ = DECODERS[kind]
    with suppress(MalformedFrame):
        decode(payload)


@pytest.mark.parametrize("kind", DECODERS)
@given(key=st.integers(0, 11), value=JSON)
def test_a_sound_frame_with_one_field_spoiled_raises_nothing_but_malformed_frame(
    kind: str, key: int, value: object
) -> None:
    decode, sound = DECODERS[kind]
    if isinstance(sound, dict):
        spoiled: object = {**sound, list(sound)[key % len(sound)]: value}
    else:
        assert isinstance(sound, list)
        spoiled = [*sound[: key % 12], value, *sound[key % 12 + 1 :]]
    try:
        event = decode(spoiled)
    except MalformedFrame:
        return
    if isinstance(event, Trade | Quote | Book):
        Validator(Limits(60.0, 10.0)).fault_of(event, NOW_NS)
        assert -(2**63) <= event.ts_ns < 2**63


@pytest.mark.parametrize("kind", DECODERS)
def test_the_sound_frame_is_understood(kind: str) -> None:
    decode, sound = DECODERS[kind]
    assert decode(sound) is not None


@given(payload=JSON, reason=st.text())
def test_every_refused_frame_becomes_a_storable_row(payload: object, reason: str) -> None:
    frame = Frame("trades", payload, NOW_NS)
    row = Rejected(frame.channel, "frame", reason, raw_text(payload), NOW_NS).to_row("sim")
    for cell in row.columns.values():
        assert isinstance(cell, str)
        assert len(cell) <= 4_000
        cell.encode("utf-8")
