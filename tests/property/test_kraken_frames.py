"""Kraken: books of a recorded market have the venue's checksum at every change; no frame breaks a decoder.

The recording is of 2021 and of version 1 of the protocol, whose books have the digits and the checksum of version 2's:
its messages are told again in the words of version 2. Trades of version 1 have no ids; they are numbered here.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import NANOS_PER_MICRO, NANOS_PER_MILLI, isoformat
from ares.errors import MalformedFrame
from ares.model.market import Trade
from ares.store.lines import Lines
from ingest.books import BookRoom, BookUpdate
from ingest.feed import Channel
from ingest.validation import Limits, Validator
from ingest.venues.kraken.decoder import DEPTH, RENAMED
from ingest.venues.kraken.dialect import KrakenDialect
from ingest.venues.wire import Names

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "raw_ws" / "cryptofeed"
TRADES_FILE, BOOKS_FILE = RECORDINGS / "KRAKEN.ws.48.0.gz", RECORDINGS / "KRAKEN.ws.50.0.gz"
PAIRS = (
    "ADA/BTC",
    "BTC/CHF",
    "ETH/CHF",
    "GRT/ETH",
    "KSM/BTC",
    "OCEAN/BTC",
    "OMG/USD",
    "SC/EUR",
    "WAVES/EUR",
    "XMR/USD",
)
NAMES = Names("kraken", {name: name for name in PAIRS})
NOW_NS = 1_790_000_000_000_000_000
DIALECT = KrakenDialect()
LINES = Lines()


def messages_of(path: Path) -> Iterator[list[object]]:
    """The data of a recording of version 1: [channel, data…, name, pair]."""
    if not path.exists():
        return
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            stamp, _, text = line.partition(": ")
            if stamp.replace(".", "").isdigit() and text.startswith("["):
                yield orjson.loads(text)


def pair_of(message: list[object]) -> str:
    return "/".join(RENAMED.get(part, part) for part in str(message[-1]).split("/"))


def moment_of(seconds: str) -> str:
    whole, _, micros = seconds.partition(".")
    return isoformat((int(whole) * 1_000_000 + int(micros.ljust(6, "0")[:6])) * NANOS_PER_MICRO)[:26] + "Z"


def book_frames() -> list[bytes]:
    """Books in the words of version 2, digit by digit. A snapshot of version 1 has no checksum; here it has 0."""
    frames: list[bytes] = []
    for message in messages_of(BOOKS_FILE):
        parts = {name: value for part in message[1:-2] if isinstance(part, dict) for name, value in part.items()}
        first = "as" in parts
        bids, asks = (parts.get(name + "s" if first else name, []) for name in ("b", "a"))
        sides = [",".join(f'{{"price":{p},"qty":{q}}}' for p, q, *_ in levels) for levels in (bids, asks)]
        at = moment_of(max(level[2] for level in (*bids, *asks)))
        frames.append(
            f'{{"channel":"book","type":"{"snapshot" if first else "update"}","data":[{{"symbol":"{pair_of(message)}",'
            f'"bids":[{sides[0]}],"asks":[{sides[1]}],"checksum":{parts.get("c", 0)},"timestamp":"{at}"}}]}}'.encode()
        )
    return frames


def trade_frames() -> list[bytes]:
    """Trades in the words of version 2, numbered by pair."""
    ids: Counter[str] = Counter()
    frames: list[bytes] = []
    for message in messages_of(TRADES_FILE):
        pair, deals = pair_of(message), message[1]
        assert isinstance(deals, list)
        data = []
        for price, amount, time, side, kind, _ in deals:
            ids[pair] += 1
            data.append(
                f'{{"symbol":"{pair}","side":"{"buy" if side == "b" else "sell"}","price":{price},"qty":{amount},'
                f'"ord_type":"{"market" if kind == "m" else "limit"}","trade_id":{ids[pair]},'
                f'"timestamp":"{moment_of(time)}"}}'
            )
        frames.append(f'{{"channel":"trade","type":"update","data":[{",".join(data)}]}}'.encode())
    return frames


def frames_of(channel: Channel) -> list[bytes]:
    """Frames of a channel, from the recording where it is here."""
    return TRADES if channel == "trades" else BOOKS


TRADES = trade_frames()
BOOKS = book_frames()
HEARTBEAT = b'{"channel":"heartbeat"}'
needs_recording = pytest.mark.skipif(not BOOKS, reason="the recordings KRAKEN.ws.*.gz are not here")


def updates() -> Iterator[BookUpdate]:
    """The books of the recording. It is of depth 1000, and a snapshot without a checksum is not checked."""
    for frame in BOOKS:
        for update in DIALECT.decode("books", frame, NAMES, NOW_NS):
            assert isinstance(update, BookUpdate)
            checksum = None if update.snapshot else update.checksum
            yield msgspec.structs.replace(update, depth=1_000, checksum=checksum)


def room() -> BookRoom:
    return BookRoom(DIALECT.book_rules.follows, 20, 0, DIALECT.book_rules.checksum)


@needs_recording
def test_every_recorded_trade_is_read_with_the_takers_side_and_its_milliseconds() -> None:
    trades = [event for frame in TRADES for event in DIALECT.decode("trades", frame, NAMES, NOW_NS)]
    assert len(trades) == 10
    first = trades[0]
    assert isinstance(first, Trade)
    assert (first.symbol, first.trade_id, first.side, first.price, first.amount) == (
        *("XMR/USD", "1", "sell"),
        *(354.11, 0.89594024),
    )
    assert first.ts_ns == 1_618_678_142_557 * NANOS_PER_MILLI


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
    assert DIALECT.runs([*TRADES, HEARTBEAT], NAMES, [*receipts, NOW_NS]) is None
    assert DIALECT.decode("trades", HEARTBEAT, NAMES, NOW_NS) == ()


@needs_recording
def test_books_of_the_recording_have_the_venues_own_checksum_at_every_change_and_are_never_crossed() -> None:
    here, snapshots, checked = room(), 0, 0
    for update in updates():
        assert here.take(update) is None
        snapshots, checked = snapshots + update.snapshot, checked + (update.checksum is not None)
        best = here.books[update.symbol].best()
        assert best is not None
        assert best[0] < best[1]
    assert (snapshots, checked, len(BOOKS)) == (10, 4_269, 4_279)


@needs_recording
@given(place=st.integers(0, 10_000), digit=st.integers(1, 9))
def test_a_change_of_the_best_ten_levels_that_is_altered_is_noticed_at_once(place: int, digit: int) -> None:
    changes = [update for update in updates() if update.symbol == "BTC/CHF"]
    hit = 1 + place % (len(changes) - 1)
    here = room()
    for update in changes[:hit]:
        assert here.take(update) is None
    price, amount = here.books["BTC/CHF"].best_texts(1)[0][0]
    text = (price, f"{amount}{digit}")
    level = (float(text[0]), float(text[1]))
    update = changes[hit]
    altered = msgspec.structs.replace(update, bids=(*update.bids, level), bid_texts=(*update.bid_texts, text))
    assert here.take(altered) == "checksum"
    assert here.due(NOW_NS) == []


@needs_recording
def test_a_book_of_less_depth_than_the_venue_has_is_right_only_while_it_forgets_what_falls_out() -> None:
    whole, cut = room(), room()
    for update in updates():
        whole.take(update)
        if update.snapshot:
            best = msgspec.structs.replace(update, bids=update.bids[:25], asks=update.asks[:25], depth=25)
            cut.take(best)
            continue
        before = whole.books[update.symbol].top(25, NOW_NS)
        assert before is not None
        # What the venue sends to one who keeps 25 levels: changes among them, and levels that come into sight.
        known = cut.books[update.symbol]
        bids = tuple(level for level in before.bids if known.bids.amounts.get(level[0]) != level[1])
        asks = tuple(level for level in before.asks if known.asks.amounts.get(level[0]) != level[1])
        gone_bids = tuple(level for level in update.bids if level[1] == 0.0 and level[0] in known.bids.amounts)
        gone_asks = tuple(level for level in update.asks if level[1] == 0.0 and level[0] in known.asks.amounts)
        sent = msgspec.structs.replace(
            update, bids=(*gone_bids, *bids), asks=(*gone_asks, *asks), depth=25, checksum=None
        )
        assert cut.take(sent) is None
        top = known.top(100, NOW_NS)
        assert top is not None
        assert (top.bids, top.asks) == (before.bids, before.asks)


@needs_recording
def test_each_change_of_best_price_or_amount_is_a_quote_and_nothing_else_is() -> None:
    here, last, quotes = room(), dict[str, object](), 0
    for update in updates():
        here.take(update)
        quote, top = here.new_quote(update.symbol, NOW_NS), here.books[update.symbol].top(1, NOW_NS)
        assert top is not None
        if last.get(update.symbol) == (top.bids, top.asks):
            assert quote is None
            continue
        last[update.symbol] = (top.bids, top.asks)
        assert quote is not None
        assert (((quote.bid, quote.bid_amount),), ((quote.ask, quote.ask_amount),)) == (top.bids, top.asks)
        quotes += 1
    assert quotes == 810


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Channel, bytes]:
    """A frame with bytes changed, cut out or put in."""
    channel: Channel = draw(st.sampled_from(("trades", "quotes", "books")))
    frame = bytearray(draw(st.sampled_from(frames_of(channel)[-200:] or [HEARTBEAT])))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(frame) - 1)))
        frame[place : place + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=3) | st.sampled_from([b"0", b"-1", b"e9", b"E-400", b'"nan"', b"null", b"\n"])
        )
    return channel, bytes(frame)


@given(case=mutated())
def test_mutated_frames_give_sound_events_or_a_refusal(case: tuple[Channel, bytes]) -> None:
    channel, frame = case
    validator = Validator(Limits(60.0, 10.0))
    assert DIALECT.answer_of(frame) in (None, "confirmed", "refused", "greeting")
    with suppress(MalformedFrame):
        for event in DIALECT.decode(channel, frame, NAMES, NOW_NS):
            if isinstance(event, BookUpdate):
                assert event.depth == DEPTH
                assert all(price > 0 and amount >= 0 for price, amount in (*event.bids, *event.asks))
                assert room().take(event) in (None, "checksum", "crossed")
            elif validator.fault_of(event, NOW_NS) is None:
                assert LINES.of([event])
    runs = DIALECT.runs([frame], NAMES, [NOW_NS]) if channel == "trades" else None
    for run in runs or ():
        assert all(seq > 0 for seq in run.seqs)
