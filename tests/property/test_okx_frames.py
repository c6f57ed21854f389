"""OKX: the recorded market is understood frame by frame, and nothing done to its frames breaks a decoder."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import MalformedFrame
from ares.model.market import Quote, Trade
from ares.store.lines import Lines
from ingest.books import BookRoom, BookUpdate
from ingest.feed import Channel
from ingest.validation import Limits, Validator
from ingest.venues.okx.dialect import OkxDialect
from ingest.venues.wire import Names

RECORDING = Path(__file__).resolve().parents[3] / "shared" / "data" / "raw_ws" / "cryptofeed" / "OKX.ws.1.0.gz"
PAIRS = ("BTC-USDT", "UNI-USD-SWAP", "BTC-USD-220527")
NAMES = Names("okx", {name: name for name in PAIRS})
NOW_NS = 1_700_000_000_000_000_000
DIALECT = OkxDialect()
LINES = Lines()

Message = dict[str, object]


def numbered(messages: Sequence[Message]) -> list[bytes]:
    """The recording is of 2022, before books had ids: give each the next one, as the venue does today."""
    last: Counter[str] = Counter()
    frames: list[bytes] = []
    for message in messages:
        arg, data = message["arg"], message["data"]
        assert isinstance(arg, dict)
        assert isinstance(data, list)
        name = arg["instId"]
        changes = []
        for change in data:
            previous = -1 if message["action"] == "snapshot" else last[name]
            last[name] += 1
            changes.append({**change, "seqId": last[name], "prevSeqId": previous})
        frames.append(orjson.dumps({**message, "data": changes}))
    return frames


def recorded() -> dict[str, list[Message]]:
    """The data of the recording by channel."""
    by_channel: dict[str, list[Message]] = {"trades": [], "books": []}
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        for line in lines:
            stamp, _, text = line.partition(": ")
            if not stamp.replace(".", "").isdigit():
                continue
            message = orjson.loads(text)
            if "data" in message and message["arg"]["channel"] in by_channel:
                by_channel[message["arg"]["channel"]].append(message)
    return by_channel


RECORDED = recorded() if RECORDING.exists() else {"trades": [], "books": []}
BOOKS = numbered(RECORDED["books"])
TRADES = [orjson.dumps(message) for message in RECORDED["trades"]]
TOP = (
    b'{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["8446","95","0","3"]],'
    b'"bids":[["8445","1.5","0","1"]],"ts":"1597026383085","seqId":363996337}]}'
)
needs_recording = pytest.mark.skipif(not RECORDING.exists(), reason="the recording OKX.ws.1.0.gz is not here")


@needs_recording
def test_every_recorded_trade_is_read_with_the_takers_side() -> None:
    trades = [event for frame in TRADES for event in DIALECT.decode("trades", frame, NAMES, NOW_NS)]
    assert len(trades) == sum(len(orjson.loads(frame)["data"]) for frame in TRADES) > 70
    first = trades[0]
    assert isinstance(first, Trade)
    assert (first.trade_id, first.side, first.price, first.amount) == ("7849", "buy", 30_218.8, 1.0)
    assert first.ts_ns == 1_652_459_199_958_000_000


@needs_recording
def test_columns_of_a_burst_are_the_trades_themselves() -> None:
    receipts = [NOW_NS + place for place in range(len(TRADES))]
    runs = DIALECT.runs(TRADES, NAMES, receipts)
    assert runs is not None
    one_by_one: list[object] = []
    for frame, receipt_ns in zip(TRADES, receipts, strict=True):
        one_by_one += DIALECT.decode("trades", frame, NAMES, receipt_ns)
    at_once = [trade for run in runs for trade in run.trades()]
    assert sorted(at_once, key=repr) == sorted(one_by_one, key=repr)


@needs_recording
def test_books_of_the_recording_have_the_venues_own_checksum_at_every_change() -> None:
    rules = DIALECT.book_rules
    assert rules.checksum is not None
    room = BookRoom(rules.follows, 20, 0, rules.checksum)
    checked = 0
    for frame in BOOKS:
        for update in DIALECT.decode("books", frame, NAMES, NOW_NS):
            assert isinstance(update, BookUpdate)
            assert update.checksum is not None
            assert room.take(update) is None
            checked += 1
    assert checked == len(BOOKS) > 280
    for book in room.books.values():
        best = book.best()
        assert best is not None
        assert best[0] < best[1]


@needs_recording
@given(place=st.integers(1, 10_000), digit=st.integers(1, 9))
def test_a_change_that_is_lost_or_altered_is_noticed(place: int, digit: int) -> None:
    rules = DIALECT.book_rules
    frames = [frame for frame in BOOKS if b'"BTC-USDT"' in frame]
    hit = 1 + place % (len(frames) - 1)
    room = BookRoom(rules.follows, 20, 0, rules.checksum)
    troubles = []
    for number, frame in enumerate(frames[: hit + 2]):
        if number == hit and digit > 5:
            continue
        for update in DIALECT.decode("books", frame, NAMES, NOW_NS):
            assert isinstance(update, BookUpdate)
            altered = update
            if number == hit:
                price, amount = room.books["BTC-USDT"].best_texts(1)[0][0]
                text = (price, f"{amount}{digit}")
                altered = with_level(update, text)
            troubles.append(room.take(altered))
    if hit + 1 < len(frames):
        assert any(trouble is not None for trouble in troubles)


def with_level(update: BookUpdate, text: tuple[str, str]) -> BookUpdate:
    """The change with one more level in it."""
    level = (float(text[0]), float(text[1]))
    return msgspec.structs.replace(update, bids=(*update.bids, level), bid_texts=(*update.bid_texts, text))


def test_the_best_bid_and_ask_are_read_with_the_venues_time() -> None:
    (quote,) = DIALECT.decode("quotes", TOP, NAMES, NOW_NS)
    assert quote == Quote(
        "okx", "BTC-USDT", 363_996_337, 8445.0, 1.5, 8446.0, 95.0, 1_597_026_383_085_000_000, NOW_NS, "venue"
    )


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Channel, bytes]:
    """A real frame with bytes changed, cut out or put in."""
    channel: Channel = draw(st.sampled_from(("trades", "quotes", "books")))
    frames = {"trades": TRADES, "quotes": [TOP], "books": BOOKS}[channel] or [TOP]
    frame = bytearray(draw(st.sampled_from(frames)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(frame) - 1)))
        frame[place : place + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=3) | st.sampled_from([b"0", b"-1", b"e9", b'"nan"', b"null"])
        )
    return channel, bytes(frame)


@given(case=mutated())
def test_mutated_frames_give_sound_events_or_a_refusal(case: tuple[Channel, bytes]) -> None:
    channel, frame = case
    validator = Validator(Limits(60.0, 10.0))
    assert DIALECT.answer_of(frame) in (None, "confirmed", "refused")
    with suppress(MalformedFrame):
        for event in DIALECT.decode(channel, frame, NAMES, NOW_NS):
            if isinstance(event, BookUpdate):
                assert all(price > 0 and amount >= 0 for price, amount in (*event.bids, *event.asks))
            elif validator.fault_of(event, NOW_NS) is None:
                assert LINES.of([event])
    runs = DIALECT.runs([frame], NAMES, [NOW_NS]) if channel == "trades" else None
    for run in runs or ():
        assert all(seq > 0 for seq in run.seqs)
