"""The door to ccxt: errors, wrapped frames, and what recovery makes of stored rows."""

from __future__ import annotations

from collections.abc import Iterator

import ccxt
import pytest

from ares.config.settings import AresConfig, IngestConfig, VenueConfig
from ares.errors import AresError, ConfigError, UnknownName, VenueRejected, VenueUnavailable
from ingest.feed import ChainBroken, raw_text
from ingest.gaps import Gap, Where
from ingest.recovery import bounded_by, still_missing
from ingest.service import venue_config
from ingest.venues.binance.ccxt_feed import Stream, is_answer, top_of, unwrapped
from ingest.venues.binance.client import create_client
from ingest.venues.errors import FOREIGN, retry_after_s, translated

T0 = 1_700_000_000_000_000_000


def every_error(root: type[Exception] = ccxt.BaseError) -> Iterator[type[Exception]]:
    yield root
    for below in root.__subclasses__():
        yield from every_error(below)


@pytest.mark.parametrize("kind", sorted(set(every_error()), key=lambda kind: kind.__name__))
def test_every_error_of_ccxt_becomes_one_of_ours(kind: type[Exception]) -> None:
    error = translated(kind("boom"))
    assert isinstance(error, VenueUnavailable | VenueRejected)
    assert isinstance(kind("boom"), FOREIGN)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ccxt.NetworkError, VenueUnavailable),
        (ccxt.DDoSProtection, VenueUnavailable),
        (ccxt.RequestTimeout, VenueUnavailable),
        (ccxt.ExchangeNotAvailable, VenueUnavailable),
        (ccxt.ChecksumError, ChainBroken),
        (ccxt.BadSymbol, VenueRejected),
        (ccxt.AuthenticationError, VenueRejected),
        (KeyError, VenueUnavailable),
    ],
)
def test_what_may_pass_is_unavailable_and_a_considered_no_is_rejected(
    kind: type[Exception], expected: type[AresError]
) -> None:
    assert type(translated(kind("x"))) is expected


def test_our_own_errors_pass_through_unchanged() -> None:
    error = UnknownName("view", "x", [])
    assert translated(error) is error


def test_retry_after_is_read_from_the_answer_and_bounded() -> None:
    assert retry_after_s({"Retry-After": "3"}) == 3.0
    assert retry_after_s({"retry-after": "99999999"}) == 3_600.0
    assert retry_after_s({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}) is None
    assert retry_after_s({}) is None


def test_frames_are_told_from_answers_and_taken_out_of_their_wrapping() -> None:
    assert is_answer({"result": None, "id": 1})
    assert is_answer({"error": {"code": 2}, "id": 1})
    assert not is_answer({"e": "aggTrade", "id": 1})
    assert not is_answer([1, 2])
    assert unwrapped({"stream": "x", "data": {"a": 1}}) == {"a": 1}
    assert unwrapped({"a": 1}) == {"a": 1}
    assert unwrapped("text") == "text"


def test_top_of_a_maintained_book_is_cut_to_the_levels_we_keep() -> None:
    book = {"bids": [[9.0, 1.0], [8.0, 1.0]], "asks": [[10.0, 1.0]], "nonce": 7, "timestamp": None}
    assert top_of(book, "BTCUSDT", 1) == {
        "s": "BTCUSDT",
        "u": 7,
        "E": None,
        "bids": [[9.0, 1.0]],
        "asks": [[10.0, 1.0]],
    }


def test_stream_that_nobody_empties_gives_up_instead_of_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.venues.binance.ccxt_feed.FRAMES_MAX", 2)
    stream = Stream(create_client("sim", VenueConfig()), "trades")
    for number in range(5):
        stream.add(number, T0)
    assert stream.overflowed
    assert [frame.payload for frame in stream.take()] == [0, 1]
    assert stream.take() == []


def test_raw_text_is_bounded_and_storable_whatever_the_payload() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert raw_text(loop) == "<class 'list'>"
    assert len(raw_text("x" * 10_000)) == 4_000
    assert raw_text("\ud800\x00") == "\\ud800\\x00"


def test_venue_without_settings_is_a_usage_error_that_names_the_known_ones() -> None:
    config = AresConfig(ingest=IngestConfig(venue="nowhere"), venues={"sim": VenueConfig()})
    with pytest.raises(ConfigError, match="choose one of: sim"):
        venue_config(config)


def gap(first: int, last: int | None) -> Gap:
    opened = Gap.opened(Where("sim", "BTC/USDT", "trades"), "id_jump", T0, T0, first)
    return opened if last is None else opened.bounded(last, T0)


def test_gap_without_an_end_that_later_trades_overtook_ends_at_the_newest() -> None:
    assert bounded_by(gap(5, None), 9, T0).last_seq == 9
    assert bounded_by(gap(10, None), 9, T0).last_seq is None
    assert bounded_by(gap(3, 4), 9, T0).last_seq == 4


def test_only_holes_are_missing_of_gaps_that_were_partly_filled() -> None:
    gaps = [gap(3, 6), gap(8, 12), gap(20, None)]
    assert still_missing(gaps, [(4, 5)], (5, 10)) == [(3, 5), (11, 12)]
