"""Whatever a venue sends, decoders answer with market data or `MalformedFrame`, and with nothing else."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import MalformedFrame
from ares.model.market import Book, Quote, Trade
from ares.store.lines import Lines
from ingest.books import BookUpdate
from ingest.feed import Channel, Frame, Rejected, raw_text
from ingest.validation import Limits, Validator
from ingest.venues.binance.decoder import (
    decode_bar,
    decode_book,
    decode_instrument,
    decode_quote,
    decode_run,
    decode_trade,
)
from ingest.venues.binance.dialect import BinanceDialect
from ingest.venues.wire import Names

RECORDING = Path(__file__).resolve().parents[2] / "simulator" / "recordings" / "spot_btcusdt_20240808.gz"
LINES = Lines()
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


@cache
def real_frames() -> Sequence[tuple[Channel, bytes]]:
    """A few hundred frames of a recording, of each kind."""
    kinds: dict[str, Channel] = {"@depth": "books", "@bookTicker": "quotes", "@trade": "trades"}
    frames: dict[Channel, list[bytes]] = {"trades": [], "quotes": [], "books": []}
    with gzip.open(RECORDING, "rb") as lines:
        for line in lines:
            text = line.strip().partition(b" ")[2]
            for mark, channel in kinds.items():
                if mark.encode() in text[:40] and len(frames[channel]) < 300:
                    frames[channel].append(text.replace(b'"t":', b'"a":') if channel == "trades" else text)
    return [(channel, frame) for channel, some in frames.items() for frame in some]


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Channel, bytes]:
    """A real frame with some of its bytes changed, cut out, repeated, or taken from another one."""
    channel, frame = draw(st.sampled_from(real_frames()))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(frame)))
        end = draw(st.integers(start, min(len(frame), start + 20)))
        _, other = draw(st.sampled_from(real_frames()))
        put = draw(
            st.binary(max_size=4) | st.sampled_from([b"", b'"', b"0", b"-", b"1e999", b"null", other[start:end]])
        )
        frame = frame[:start] + put + frame[end:]
    return channel, frame


@given(sent=mutated())
def test_mutated_real_frame_is_refused_or_its_rows_can_be_stored(sent: tuple[Channel, bytes]) -> None:
    channel, payload = sent
    try:
        events = BinanceDialect().decode(channel, payload, NAMES, NOW_NS)
    except MalformedFrame as error:
        row = Rejected(channel, error.field, str(error), raw_text(payload), NOW_NS).to_row("sim")
        assert LINES.of([row])
        return
    validator = Validator(Limits(60.0, 10.0))
    for event in events:
        if isinstance(event, BookUpdate):
            assert all(0.0 < price < float("inf") and amount >= 0.0 for price, amount in event.bids + event.asks)
        elif validator.fault_of(event, NOW_NS) is None:
            assert LINES.of([event])


@given(sent=st.lists(mutated() | st.sampled_from(real_frames()), min_size=1, max_size=12))
def test_frames_parsed_in_one_go_say_what_each_of_them_says(sent: list[tuple[Channel, bytes]]) -> None:
    payloads = [bare(payload) for channel, payload in sent if channel == "trades"]
    runs = decode_run(payloads, NAMES, range(NOW_NS, NOW_NS + len(payloads)))
    try:
        trades = [decode_trade(payload, NAMES, NOW_NS + number) for number, payload in enumerate(payloads)]
    except MalformedFrame:
        assert not runs
        return
    assert [trade for run in runs or [] for trade in run.trades()] == trades or runs is None


def bare(payload: bytes) -> bytes:
    """An event as the address of raw streams sends it, which ours is."""
    return (
        payload.removeprefix(b'{"stream":"btcusdt@trade","data":').removesuffix(b"}")
        if b'"data":' in payload
        else payload
    )


def test_recorded_trades_of_several_symbols_are_parsed_in_one_go() -> None:
    names = Names("sim", {"BTCUSDT": "BTC/USDT", "ETHUSDT": "ETH/USDT"})
    payloads = [bare(payload) for channel, payload in real_frames() if channel == "trades"]
    payloads[1::3] = [payload.replace(b"BTCUSDT", b"ETHUSDT") for payload in payloads[1::3]]
    runs = decode_run(payloads, names, [NOW_NS] * len(payloads))
    assert runs is not None
    assert [(run.symbol, len(run)) for run in runs] == [("BTC/USDT", 200), ("ETH/USDT", 100)]
    expected = [decode_trade(payload, names, NOW_NS) for payload in payloads]
    for run in runs:
        assert run.trades() == [trade for trade in expected if trade.symbol == run.symbol]
    assert decode_run(payloads, NAMES, [NOW_NS] * len(payloads)) is None, "one of a symbol that we did not ask for"


def test_real_frames_are_understood() -> None:
    """Else the test above would prove nothing."""
    for channel, payload in real_frames():
        (event,) = BinanceDialect().decode(channel, payload, NAMES, NOW_NS)
        assert event.symbol == "BTC/USDT"
    assert len(real_frames()) == 900


@given(payload=JSON, reason=st.text())
def test_every_refused_frame_becomes_a_storable_row(payload: object, reason: str) -> None:
    frame = Frame("trades", payload, NOW_NS)
    row = Rejected(frame.channel, "frame", reason, raw_text(payload), NOW_NS).to_row("sim")
    for cell in row.columns.values():
        assert isinstance(cell, str)
        assert len(cell) <= 4_000
        cell.encode("utf-8")
