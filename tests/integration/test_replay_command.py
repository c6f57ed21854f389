"""`ares ingest replay` as a person types it: captures, whole and broken, beside what is stored."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND, SystemClock, isoformat
from ares.config.settings import DatabaseConfig
from ares.errors import UsageError
from ares.model.market import Trade
from ares.model.row import Storable
from ares.store import Database, RowWriter
from ares.store.pool import Record as StoredRecord
from ingest.capture.records import FORMAT, About, Kind, Record, json_of, line_of
from ingest.capture.segments import SegmentFile, blocks_of
from ingest.commands import app
from ingest.gaps import Gap, Where
from tests.helpers import ROOT, settings_file

SYMBOL = "BTC/USDT"
TABLES = ("trades", "gaps", "quarantine")
TRADES = """
SELECT seq, price, source, received_at::long AS received_ns FROM trades WHERE venue = %(venue)s ORDER BY seq
"""
GAPS = """
SELECT cause, status, healed_by, first_seq, last_seq FROM (
  SELECT * FROM gaps WHERE venue = %(venue)s LATEST ON ts PARTITION BY gap_id
) ORDER BY first_seq
"""
REFUSED = "SELECT field, reason, raw FROM quarantine WHERE venue = %(venue)s ORDER BY ts"
BASE_NS = SystemClock().now_ns() // NANOS_PER_SECOND * NANOS_PER_SECOND - 60 * NANOS_PER_SECOND


def trade_at(seq: int) -> int:
    """When a trade happened: 100 ms apart."""
    return BASE_NS + seq * 100 * NANOS_PER_MILLI


def frame(seq: int, price: float = 100.0) -> bytes:
    ms = trade_at(seq) // NANOS_PER_MILLI
    return (
        f'{{"e":"aggTrade","E":{ms},"s":"BTCUSDT","a":{seq},"p":"{price}","q":"1.0","f":{seq},"l":{seq},"T":{ms},'
        '"m":true,"M":true}'
    ).encode()


def told(seq: int, kind: Kind = "recv", payload: bytes | None = None) -> Record:
    """What a line told when a trade came, which is one millisecond after it happened."""
    at_ns = trade_at(seq) + NANOS_PER_MILLI
    return Record(at_ns, "trades", 1, kind, frame(seq) if payload is None else payload)


@dataclass
class Hand:
    """Types commands for one venue, and looks at what is stored."""

    venue: str
    config: DatabaseConfig
    writer: RowWriter
    folder: Path

    def capture(self, *blocks: Sequence[Record], protocol: str = "binance") -> Path:
        """A segment of these blocks."""
        segment = SegmentFile(self.folder / "capture" / self.venue / "trades", BASE_NS)
        about = About(FORMAT, self.venue, protocol, {"BTCUSDT": SYMBOL}, 10, 1.0)
        segment.append(line_of(Record(BASE_NS, "trades", 0, "begin", json_of(about))))
        for block in blocks:
            segment.append(b"".join(map(line_of, block)))
        segment.close()
        return segment.path

    def replay(self, *words: str | Path) -> dict[str, object]:
        result = CliRunner().invoke(app, ["replay", *map(str, words), "--json"])
        if result.exception is not None:
            raise result.exception
        outcome: dict[str, object] = json.loads(result.stdout)
        return outcome

    def refusal(self, *words: str | Path) -> str:
        with pytest.raises(UsageError) as refused:
            self.replay(*words)
        return str(refused.value)

    def rows(self, sql: str) -> list[StoredRecord]:
        async def fetch() -> list[StoredRecord]:
            async with await Database.connect(self.config) as database:
                await database.wait_applied(TABLES)
                return await database.fetch(sql, {"venue": self.venue})

        return asyncio.run(fetch())

    def store(self, rows: Sequence[Storable]) -> None:
        asyncio.run(self.writer.write(rows))

    def live(self, seqs: Sequence[int]) -> None:
        """Trades that a service recorded, 7 ns after they happened."""
        self.store(
            [
                Trade(self.venue, SYMBOL, str(seq), seq, "sell", 100.0, 1.0, at_ns, at_ns + 7, "stream")
                for seq, at_ns in ((seq, trade_at(seq)) for seq in seqs)
            ]
        )

    def gap(self, first: int, last: int, *, lost: bool) -> None:
        where = Where(self.venue, SYMBOL, "trades")
        gap = Gap.opened(where, "id_jump", trade_at(last), trade_at(first), first).bounded(last, trade_at(last))
        if lost:
            gap = gap.closed("lost", "", trade_at(last), last - first + 1)
        self.store([gap.to_row(trade_at(last))])


def figures(outcome: dict[str, object], table: str) -> dict[str, int]:
    tables = outcome["tables"]
    assert isinstance(tables, list)
    return next(each for each in tables if each["table"] == table)


@pytest.fixture
def hand(
    monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, writer: RowWriter, venue: str, tmp_path: Path
) -> Hand:
    own = settings_file(tmp_path, questdb_config, venue, f"symbols = ['{SYMBOL}']\n[venues.{venue}]\n")
    monkeypatch.setenv("ARES_CONFIG", str(own))
    monkeypatch.setenv("COLUMNS", "200")
    return Hand(venue, questdb_config, writer, tmp_path)


def test_capture_becomes_rows_with_their_receipts_once_however_often(hand: Hand) -> None:
    path = hand.capture([told(1, "open", b"ws://there"), *map(told, range(1, 4))], [*map(told, range(4, 7))])
    outcome = hand.replay(path)
    assert (outcome["frames"], outcome["files"], outcome["venue"]) == (6, 1, hand.venue)
    assert figures(outcome, "trades") | {"table": ""} == {
        "table": "", "rows": 6, "written": 6, "archived": 0, "known": 0, "contradicting": 0, "expired": 0,
    }  # fmt: skip
    first = hand.rows(TRADES)
    assert first == [
        {"seq": seq, "price": 100.0, "source": "replay", "received_ns": told(seq).at_ns} for seq in range(1, 7)
    ]
    for _ in range(2):
        assert (figures(outcome := hand.replay(path), "trades")["known"], outcome["frames"]) == (6, 6)
        assert figures(outcome, "trades")["written"] == 0
    assert hand.rows(TRADES) == first
    assert hand.rows(GAPS) == []


def test_dry_run_writes_nothing_and_asks_nobody(hand: Hand, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    path = hand.capture(list(map(told, range(1, 4))))
    monkeypatch.setenv("ARES_DATABASE__PG_PORT", str(port))
    monkeypatch.setenv("ARES_DATABASE__HTTP_PORT", str(port))
    assert figures(hand.replay(path, "--dry-run"), "trades")["rows"] == 3
    assert hand.rows(TRADES) == []


@pytest.mark.parametrize("lost", [True, False], ids=["given up", "still open"])
def test_gap_of_the_live_run_is_healed_by_replay_and_what_is_stored_stays(hand: Hand, *, lost: bool) -> None:
    hand.live([1, 2, 3, 4, 5, 9, 10])
    hand.gap(6, 8, lost=lost)
    outcome = hand.replay(hand.capture(list(map(told, range(4, 10)))))
    assert (figures(outcome, "trades")["written"], figures(outcome, "trades")["known"]) == (3, 3)
    rows = hand.rows(TRADES)
    assert [row["seq"] for row in rows] == list(range(1, 11))
    assert [row["source"] for row in rows] == ["stream"] * 5 + ["replay"] * 3 + ["stream"] * 2
    assert [row["received_ns"] for row in rows if row["source"] == "stream"] == [
        trade_at(seq) + 7 for seq in (1, 2, 3, 4, 5, 9, 10)
    ]
    healed = {"cause": "id_jump", "status": "healed", "healed_by": "replay", "first_seq": 6, "last_seq": 8}
    assert hand.rows(GAPS) == [healed]
    assert hand.rows("SELECT * FROM ingest_watermarks WHERE venue = %(venue)s") == []


def test_open_gap_that_is_filled_in_part_stays_the_service_s(hand: Hand) -> None:
    hand.live([1, 2, 3, 4, 5, 9, 10])
    hand.gap(6, 8, lost=False)
    hand.replay(hand.capture(list(map(told, (4, 5, 6, 7, 9)))))
    assert [(row["status"], row["first_seq"], row["last_seq"]) for row in hand.rows(GAPS)] == [("open", 6, 8)]


def test_holes_of_the_capture_itself_are_said(hand: Hand) -> None:
    lost = told(3, "lost", json_of(2))
    outcome = hand.replay(hand.capture([told(1), told(2), lost, told(5), told(6)]))
    assert outcome["lost"] == 2
    hole = {"cause": "replay", "status": "lost", "healed_by": "", "first_seq": 3, "last_seq": 4}
    assert [{**row, "healed_by": row["healed_by"] or ""} for row in hand.rows(GAPS)] == [hole]


def test_trade_that_contradicts_what_is_stored_is_refused_once_and_what_is_stored_stays(hand: Hand) -> None:
    hand.live([1, 2, 3])
    other = told(2, payload=frame(2, price=101.0))
    path = hand.capture([told(1), other, told(3), told(4, payload=b'{"e":"aggTrade","s":"BTCUSDT"}')])
    for known in (0, 2, 2):
        outcome = hand.replay(path)
        assert figures(outcome, "trades")["contradicting"] == 1
        refused = figures(outcome, "quarantine")
        assert (refused["rows"], refused["written"], refused["known"]) == (2, 2 - known, known)
    assert [row["price"] for row in hand.rows(TRADES)] == [100.0] * 3
    contradiction, unread = hand.rows(REFUSED)
    assert contradiction["field"] == "contradiction"
    assert "price=101.0" in str(contradiction["raw"])
    assert '"aggTrade"' in str(unread["raw"])


def test_damaged_file_is_refused_with_the_place_and_what_was_written_is_accounted_for(hand: Hand) -> None:
    path = hand.capture([told(1), told(2), told(4)], [told(5)], [told(6), told(7)])
    place = list(blocks_of(path))[2]
    content = bytearray(path.read_bytes())
    content[place.start + 30] ^= 1
    path.write_bytes(content)
    said = hand.refusal(path)
    assert re.fullmatch(
        rf"FILE = '{path}': damaged from byte {place.start} to byte {place.end}\. "
        r"Fetch it again, or leave that out by --skip-damaged",
        said,
    )
    holes = [(row["cause"], row["first_seq"], row["last_seq"]) for row in hand.rows(GAPS)]
    assert holes == ([("replay", 3, 3)] if hand.rows(TRADES) else [])
    outcome = hand.replay(path, "--skip-damaged")
    assert outcome["damaged"] == [{"file": path.name, "start": place.start, "end": place.end}]
    assert [row["seq"] for row in hand.rows(TRADES)] == [1, 2, 4, 6, 7]
    assert [(row["first_seq"], row["last_seq"]) for row in hand.rows(GAPS)] == [(3, 3), (5, 5)]


def test_long_file_that_is_damaged_late_leaves_no_hole_unsaid(hand: Hand) -> None:
    seqs = [seq for seq in range(1, 12_002) if seq != 3]
    path = hand.capture(list(map(told, seqs[:11_000])), [told(11_001)], list(map(told, seqs[11_001:])))
    place = list(blocks_of(path))[2]
    content = bytearray(path.read_bytes())
    content[place.start + 30] ^= 1
    path.write_bytes(content)
    assert "--skip-damaged" in hand.refusal(path)
    assert len(hand.rows(TRADES)) >= 10_000 - 1
    assert [(row["first_seq"], row["last_seq"]) for row in hand.rows(GAPS)] == [(3, 3)]


def test_file_that_ends_while_it_was_being_written_is_read_up_to_there(hand: Hand) -> None:
    path = hand.capture([told(1), told(2)], [told(3)])
    whole = list(blocks_of(path))
    os.truncate(path, path.stat().st_size - 1)
    outcome = hand.replay(path)
    assert outcome["damaged"] == [{"file": path.name, "start": whole[2].start, "end": None}]
    assert [row["seq"] for row in hand.rows(TRADES)] == [1, 2]


def test_range_replays_what_came_in_it(hand: Hand) -> None:
    hand.capture(list(map(told, range(1, 10))))
    first, last = isoformat(told(4).at_ns), isoformat(told(7).at_ns)
    span = f"{first.rstrip('Z')[:26]}..{last.rstrip('Z')[:26]}"
    assert figures(hand.replay(span), "trades")["written"] == 3
    assert [row["seq"] for row in hand.rows(TRADES)] == [4, 5, 6]


def test_lines_that_were_unpacked_are_read_too(hand: Hand) -> None:
    path = hand.capture(list(map(told, range(1, 4))))
    text = hand.folder / "lines.txt.gz"
    text.write_bytes(gzip.compress(b"".join(piece.lines for piece in blocks_of(path) if hasattr(piece, "lines"))))
    words = ("--venue", hand.venue, "--symbol", f"BTCUSDT={SYMBOL}")
    assert figures(hand.replay(text, *words), "trades")["written"] == 3


def test_what_is_no_capture_is_refused_by_name_with_a_way_out(hand: Hand) -> None:
    (empty := hand.folder / "empty").mkdir()
    other = hand.folder / "other.csv"
    other.write_text("a,b\n1,2\n")
    named = ("--venue", "other")
    assert hand.refusal(hand.folder / "none") == (
        f"FILE = {str(hand.folder / 'none')!r}: neither a file nor a folder. Check the name"
    )
    assert "no segment (*.zst) in this folder" in hand.refusal(empty)
    assert f"FILE = {str(other)!r}: no capture. Segments of a capture" in hand.refusal(other, *named)
    assert "Name it: --venue NAME --symbol" in hand.refusal(other)
    assert "ends before it begins" in hand.refusal("2026-03-01T12:00..2026-03-01T11:00")
    assert "Write A..B in UTC" in hand.refusal("2026-03-01T12:00..soon")
    assert "holds no capture of that time" in hand.refusal("2026-03-01T12:00..2026-03-01T13:00")
    for speed in ("0", "-1", "fast", "nan", "inf"):
        assert f"--speed = '{speed}': neither a number above 0 nor 'max'" in hand.refusal(other, "--speed", speed)
    assert "write the venue's name and ours" in hand.refusal(other, "--symbol", "BTCUSDT")
    assert "not a venue's name" in hand.refusal(other, "--venue", "Not One")


def test_interrupted_replay_ends_in_order_and_goes_on_when_started_again(hand: Hand) -> None:
    path = hand.capture(list(map(told, range(1, 101))))
    command = [sys.executable, "-m", "ares.cli", "ingest", "replay", str(path), "--speed", "1", "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        while len(hand.rows(TRADES)) < 5:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
    outcome = json.loads(said)
    before = hand.rows(TRADES)
    assert process.returncode == 130
    assert isinstance(outcome["interrupted_at_ns"], int)
    assert [row["seq"] for row in before] == list(range(1, len(before) + 1))
    assert figures(outcome, "trades")["written"] == len(before) < 100
    rest = hand.replay(path)
    assert (figures(rest, "trades")["known"], figures(rest, "trades")["written"]) == (len(before), 100 - len(before))
    assert [row["seq"] for row in hand.rows(TRADES)] == list(range(1, 101))


def test_speed_sets_the_pace(hand: Hand) -> None:
    path = hand.capture(list(map(told, range(1, 41))))
    clock = SystemClock()
    began_s = clock.monotonic_s()
    hand.replay(path, "--speed", "2", "--dry-run")
    took_s = clock.monotonic_s() - began_s
    began_s = clock.monotonic_s()
    hand.replay(path, "--dry-run")
    assert took_s >= 3.9 / 2 - 0.1
    assert clock.monotonic_s() - began_s < took_s
