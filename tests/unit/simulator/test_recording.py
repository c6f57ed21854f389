"""Goal: a recording is cut so that it can be chained, and one that cannot be is refused in one clear line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_MILLI
from ares.errors import ConfigError
from ares.testing.clock import SteppedClock
from simulator.clock import MarketClock
from simulator.market import BUNDLED_PERPETUALS, PACKAGE, load_market
from simulator.perpetual.market import FEES
from simulator.recording import AGG, DEPTH, QUOTE, TRADE, Recording, load_recording, to_text, to_units
from simulator.series import EPOCH_MS

Line = dict[str, object]
SaveLines = Callable[[list[Line]], Path]


def test_recording_starts_with_the_snapshot_and_the_update_that_meets_it(tiny: Recording) -> None:
    assert (tiny.symbol, tiny.price_decimals, tiny.amount_decimals) == ("TINYUSDT", 1, 2)
    assert tiny.start_bids == {1000: "1.00", 990: "5.00", 980: "7.00"}
    assert tiny.start_asks == {1001: "2.00"}
    assert (tiny.length_ms, tiny.move, tiny.mirror, tiny.update_ids) == (400, 2, 2001, 5)


def test_levels_far_from_the_market_are_left_out(tiny: Recording) -> None:
    assert tiny.depth[0].bids == ((1000, "0.80"),)


def test_update_ids_count_from_the_starting_book(tiny: Recording) -> None:
    assert [(change.first_id, change.last_id) for change in tiny.depth] == [(1, 2), (3, 4)]


def test_quotes_without_a_depth_update_to_confirm_them_are_left_out(tiny: Recording) -> None:
    assert [q.update_id for q in tiny.quotes] == [1, 3]


def test_trades_with_one_time_price_and_side_are_one_aggregate(tiny: Recording) -> None:
    assert tiny.aggs.amount_text == ("0.75000000", "0.30000000")
    assert tiny.aggs.first.tolist() == [0, 2]
    assert tiny.aggs.last.tolist() == [1, 2]


def test_timeline_is_in_order_of_publication(tiny: Recording) -> None:
    times = [at for at, _, _ in tiny.timeline]
    assert times == sorted(times)
    assert [kind for at, kind, _ in tiny.timeline if at == 52] == [TRADE, TRADE, AGG, QUOTE]
    assert {kind for _, kind, _ in tiny.timeline} == {TRADE, AGG, DEPTH, QUOTE}


def test_recording_can_be_played_as_another_symbol(tiny_lines: list[Line], save_lines: SaveLines) -> None:
    assert load_recording(save_lines(tiny_lines), "OTHERUSDT").symbol == "OTHERUSDT"


def test_bundled_recordings_hold_what_their_note_says(btc: Recording, eth: Recording) -> None:
    assert (len(btc.trades), len(btc.aggs), len(btc.depth)) == (9756, 5812, 3448)
    assert (len(eth.trades), len(eth.aggs), len(eth.depth)) == (6106, 3002, 3431)
    assert (btc.price_decimals, btc.amount_decimals) == (2, 5)


def without(lines: list[Line], stream: str) -> list[Line]:
    return [line for line in lines if stream not in str(line.get("stream"))]


@pytest.mark.parametrize("stream", ["@trade", "@depth", "@bookTicker"])
def test_recording_without_one_of_its_streams_is_refused(
    stream: str, tiny_lines: list[Line], save_lines: SaveLines
) -> None:
    with pytest.raises(ConfigError, match="has no trades, no depth updates or no book tickers"):
        load_recording(save_lines(without(tiny_lines, stream)))


def test_recording_without_a_snapshot_is_refused(tiny_lines: list[Line], save_lines: SaveLines) -> None:
    with pytest.raises(ConfigError, match="no REST depth snapshot"):
        load_recording(save_lines(tiny_lines[1:]))


def test_snapshot_that_does_not_meet_the_updates_is_refused(tiny_lines: list[Line], save_lines: SaveLines) -> None:
    tiny_lines[0]["lastUpdateId"] = 5
    with pytest.raises(ConfigError, match="does not meet"):
        load_recording(save_lines(tiny_lines))


def test_empty_starting_book_is_refused(tiny_lines: list[Line], save_lines: SaveLines) -> None:
    tiny_lines[0]["bids"] = []
    with pytest.raises(ConfigError, match="not a price and an amount"):
        load_recording(save_lines(tiny_lines))


def test_crossed_starting_book_is_refused(tiny_lines: list[Line], save_lines: SaveLines) -> None:
    tiny_lines[0]["asks"] = [["99.5", "1.00"]]
    with pytest.raises(ConfigError, match="crossed"):
        load_recording(save_lines(tiny_lines))


@pytest.mark.parametrize(
    ("line", "change", "problem"),
    [
        (5, {"U": 14}, "break at update id 14"),
        (3, {"t": 504}, "break at trade id 504"),
        (3, {"p": "100.1000000001"}, "more than 8 decimals"),
        (3, {"s": "OTHERUSDT"}, "two symbols"),
        (3, {"q": "ten"}, "line 4 is not"),
        (5, {"b": [["ten", "1.00"]]}, "not a price and an amount"),
        (2, {"T": None}, "line 3 is not"),
    ],
)
def test_broken_frame_is_named(
    line: int, change: Line, problem: str, tiny_lines: list[Line], save_lines: SaveLines
) -> None:
    data = tiny_lines[line]["data"]
    assert isinstance(data, dict)
    data.update(change)
    with pytest.raises(ConfigError, match=problem):
        load_recording(save_lines(tiny_lines))


def test_all_trades_outside_the_book_are_refused(tiny_lines: list[Line], save_lines: SaveLines) -> None:
    for line in tiny_lines:
        data = line.get("data")
        if isinstance(data, dict) and "T" in data:
            data["T"] = 0
    with pytest.raises(ConfigError, match="no trade between"):
        load_recording(save_lines(tiny_lines))


def test_recording_of_perpetuals_is_refused_as_spot_and_one_of_spot_as_perpetuals(btc: Recording) -> None:
    clock = MarketClock(SteppedClock(EPOCH_MS * NANOS_PER_MILLI))
    perpetual = load_recording(PACKAGE / "recordings" / BUNDLED_PERPETUALS[0])
    for recording, wanted, problem in ((perpetual, False, "is of perpetuals"), (btc, True, "is of spot")):
        with pytest.raises(ConfigError, match=problem):
            load_market([recording], 1, clock, FEES, perpetual=wanted)


def test_recording_of_perpetuals_has_update_ids_without_a_hole_though_the_venue_shares_them_among_symbols() -> None:
    recording = load_recording(PACKAGE / "recordings" / BUNDLED_PERPETUALS[0])
    assert recording.perpetual
    assert all(after.first_id == before.last_id + 1 for before, after in pairwise(recording.depth))
    assert (recording.price_decimals, recording.amount_decimals, len(recording.trades)) == (1, 3, 974)


def test_trades_of_the_insurance_fund_are_not_of_the_book(tiny_lines: list[Line], save_lines: SaveLines) -> None:
    trades = [line["data"] for line in tiny_lines if str(line.get("stream")).endswith("@trade")]
    for data, kind in zip(trades, ("MARKET", "MARKET", "INSURANCE_FUND"), strict=True):
        assert isinstance(data, dict)
        data["X"] = kind
    assert len(load_recording(save_lines(tiny_lines)).trades) == 2


@pytest.mark.parametrize("content", [b"", b"garbage\n", b"1 []\n", b"1 {}\n", b"\xff\xfe\n", b"1 {\n"])
def test_file_that_is_no_recording_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"simulator\.recordings = .*file"):
        load_recording(path)


def test_truncated_gzip_is_refused(btc: Recording, tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(b"1 {}\n" * 1000)[:-9])
    with pytest.raises(ConfigError, match=r"cut\.gz"):
        load_recording(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_recording(tmp_path / "nowhere.gz")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recording(tmp_path)


def test_capture_in_microseconds_gives_the_same_recording(
    tiny: Recording, tiny_lines: list[Line], save_lines: SaveLines
) -> None:
    path = save_lines(tiny_lines)
    path.write_text("".join(line.replace("000000 ", "000 ", 1) + "\n" for line in path.read_text().splitlines()))
    assert load_recording(path).quotes == tiny.quotes


@pytest.mark.parametrize(("units", "decimals", "text"), [(6183763, 2, "61837.63000000"), (5, 0, "5.00000000")])
def test_units_are_written_as_the_venue_writes_them(units: int, decimals: int, text: str) -> None:
    assert to_text(units, decimals) == text
    assert to_units(text, decimals) == units
