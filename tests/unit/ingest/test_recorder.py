"""A capture in the making: bounded in memory and on disk, honest about what it lacks, whole to where it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ares.clock import DAY_NS, HOUR_NS, MINUTE_NS, NANOS_PER_SECOND, SystemClock
from ares.errors import StateDirUnusable
from ares.testing.clock import SteppedClock
from ingest.capture.inbox import FRAME_BYTES, Inbox, parcel_of
from ingest.capture.recorder import MB, SEGMENTS_MIN, CaptureWriter, Recorder
from ingest.capture.records import FORMAT, About, Record, lost_of, record_of
from ingest.capture.retention import Bounds, Kept, outlived
from ingest.capture.segments import BLOCK_BYTES, SUFFIX, Block, blocks_of
from ingest.feed import Channel, Frame
from tests.helpers import ROOT, eventually

T0 = 1_700_000_000 * NANOS_PER_SECOND
ABOUT = About(FORMAT, "sim", "binance", {"BTCUSDT": "BTC/USDT"}, 10, 1.0)
BOUNDS = Bounds(mb_max=256, days_max=7.0, disk_free_mb_min=0, segment_mb_max=64, segment_minutes_max=60.0, flush_s=0.05)


def frames_of(numbers: Sequence[int], size: int = 0) -> list[Frame]:
    return [
        Frame("trades", b"%d %s" % (number, os.urandom(size // 2).hex().encode()), T0 + number) for number in numbers
    ]


def records_in(folder: Path, channel: str = "trades") -> list[Record]:
    """Everything that was captured of a channel; `begin` says whose it is and is left out."""
    records: list[Record] = []
    for path in sorted((folder / channel).glob(f"*/*{SUFFIX}")):
        for piece in blocks_of(path):
            if isinstance(piece, Block):
                lines = piece.lines[:-1].split(b"\n")
                records += [record for record in map(record_of, lines) if record.kind != "begin"]
    return records


def numbers_in(records: Sequence[Record]) -> list[int]:
    return [int(record.payload.split(b" ")[0]) for record in records if record.kind == "recv"]


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@dataclass
class Hand:
    """Hands frames to the disk side, as the thread does."""

    folder: Path
    bounds: Bounds = BOUNDS
    clock: SteppedClock = field(default_factory=SteppedClock)

    def __post_init__(self) -> None:
        self.writer = CaptureWriter(self.folder, ABOUT, self.bounds, self.clock)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, numbers: Sequence[int], size: int = 0, channel: Channel = "trades") -> None:
        self.clock._now_ns += 1
        inbox = Inbox()
        inbox.put(parcel_of(channel, 1, frames_of(numbers, size)), T0)
        self.writer.write(inbox.take())

    def paths(self) -> list[Path]:
        return sorted(self.folder.glob(f"*/*/*{SUFFIX}"))


def test_what_finds_no_room_is_counted_and_said_before_what_enters_next() -> None:
    lost: list[tuple[str, int]] = []
    inbox = Inbox(bytes_max=4 * FRAME_BYTES, on_lost=lambda channel, messages: lost.append((channel, messages)))
    inbox.put(parcel_of("trades", 1, frames_of([1, 2])), T0)
    inbox.put(parcel_of("trades", 1, frames_of([3, 4, 5])), T0 + 5)
    inbox.put(parcel_of("trades", 1, frames_of([6])), T0 + 6)
    first, said, last = inbox.take()
    assert lost == [("trades", 3)]
    assert [frame.payload for frame in (*first.frames, *last.frames)] == [b"1 ", b"2 ", b"6 "]
    assert said.record is not None
    assert (said.record.kind, lost_of(said.record), said.record.at_ns) == ("lost", 3, T0 + 6)
    inbox.put(parcel_of("trades", 1, frames_of([7, 8])), T0 + 8)
    assert len(list(inbox.take())) == 1, "what was taken made room"


def test_collector_never_waits_for_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    recorder = Recorder(tmp_path / "sim", ABOUT, BOUNDS, SystemClock())
    recorder._inbox.bytes_max = 30_000
    monkeypatch.setattr(CaptureWriter, "_require_room", lambda _: hangs.wait(30))
    before = metric("ares_ingest_capture_lost_total", channel="trades", cause="queue")
    recorder.start()
    with capture_logs() as logs:
        for number in range(5_000):
            recorder.took("trades", 1, frames_of([number]))
    lost = metric("ares_ingest_capture_lost_total", channel="trades", cause="queue") - before
    assert lost > 3_000
    assert {line["event"] for line in logs} == {"capture_behind"}
    assert len(logs) < 10, "not said for every frame"
    hangs.set()
    recorder.stop()
    records = records_in(tmp_path / "sim")
    captured = numbers_in(records)
    assert captured == sorted(set(captured))
    assert len(captured) == 5_000 - lost, "what entered while the disk hung is written at the end"
    assert sum(lost_of(record) for record in records if record.kind == "lost") == lost
    assert records[-1].kind == "lost", "said behind the last that entered"


def test_all_that_a_line_told_is_captured_in_order_byte_for_byte(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "sim", ABOUT, BOUNDS, SystemClock())
    recorder.start()
    connection = recorder.opened("trades", "ws://there/ws")
    recorder.sent("trades", connection, b'{"method":"SUBSCRIBE"}')
    frames = frames_of(range(20_000), 200)
    for start in range(0, len(frames), 100):
        recorder.took("trades", connection, frames[start : start + 100])
    recorder.closed("trades", connection, b"went away")
    recorder.stop()
    records = records_in(tmp_path / "sim")
    assert [record.kind for record in records[:2]] == ["open", "send"]
    assert [(record.at_ns, record.payload) for record in records[2:-1]] == [
        (frame.received_at_ns, frame.payload) for frame in frames
    ]
    assert (records[-1].kind, records[-1].payload) == ("close", b"went away")
    assert recorder.trouble == ""


def test_folder_that_cannot_be_made_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateDirUnusable, match="file/sim"):
        Recorder(tmp_path / "file" / "sim", ABOUT, BOUNDS, SystemClock()).start()


def test_segment_ends_when_it_is_old_and_at_midnight(tmp_path: Path) -> None:
    hand = Hand(tmp_path / "sim", clock=SteppedClock(T0 - T0 % DAY_NS + 23 * HOUR_NS))
    began = hand.clock.now_ns()
    for minutes in (0, 30, 59, 61):
        hand.clock._now_ns = began + minutes * MINUTE_NS
        hand.write([minutes])
    hand.writer.close()
    assert [path.relative_to(hand.folder).parts[:2] for path in hand.paths()] == [
        ("trades", "2023-11-14"),
        ("trades", "2023-11-15"),
    ]
    hand = Hand(tmp_path / "short", replace(BOUNDS, segment_minutes_max=30.0))
    for minutes in (0, 29, 30, 61):
        hand.clock._now_ns = T0 + minutes * MINUTE_NS
        hand.write([minutes])
    hand.writer.close()
    assert len(hand.paths()) == 3
    assert numbers_in(records_in(hand.folder)) == [0, 29, 30, 61]


def test_what_is_kept_stays_within_its_megabytes_and_the_newest_stays(tmp_path: Path) -> None:
    hand = Hand(tmp_path / "sim", replace(BOUNDS, mb_max=16, segment_mb_max=64))
    sizes = []
    for number in range(150):
        hand.clock._now_ns += NANOS_PER_SECOND
        hand.write([number], 500_000)
        sizes.append(sum(path.stat().st_size for path in hand.paths()))
    hand.writer.close()
    piece = 16 * MB // SEGMENTS_MIN
    assert max(sizes) <= 16 * MB + piece + 2 * BLOCK_BYTES
    assert min(sizes[80:]) > 8 * MB, "and no more is deleted than must be"
    kept = numbers_in(records_in(hand.folder))
    assert kept == list(range(kept[0], 150))
    assert kept[0] > 0
    assert metric("ares_ingest_capture_kept_bytes") > 8 * MB


def test_what_is_older_than_its_days_goes_and_its_folder_with_it(tmp_path: Path) -> None:
    hand = Hand(tmp_path / "sim")
    hand.write([1])
    hand.writer.close()
    (old,) = hand.paths()
    os.utime(old, ns=(T0, T0))
    hand.clock._now_ns = T0 + 8 * DAY_NS
    with capture_logs() as logs:
        hand.write([2])
    hand.writer.close()
    assert numbers_in(records_in(hand.folder)) == [2]
    assert not old.parent.exists()
    assert [line["event"] for line in logs] == ["capture_segments_deleted"]


KEPT = st.builds(
    Kept, st.uuids().map(lambda name: Path(str(name))), st.integers(1, 50), st.integers(0, 100), st.booleans()
)


@given(kept=st.lists(KEPT, max_size=20), bytes_max=st.integers(0, 400), from_ns=st.integers(0, 100))
def test_what_goes_is_old_or_too_much_the_oldest_first_and_never_what_is_being_written(
    kept: list[Kept], bytes_max: int, from_ns: int
) -> None:
    gone = outlived(kept, bytes_max, from_ns)
    stays = [each for each in kept if each not in gone]
    assert not any(each.is_open for each in gone)
    closed = [each for each in stays if not each.is_open]
    assert all(each.ended_ns >= from_ns for each in closed)
    assert not closed or sum(each.size for each in stays) <= bytes_max
    needless = [each for each in gone if each.ended_ns >= from_ns]
    newest = max((each.ended_ns for each in needless), default=0)
    assert all(each.ended_ns >= newest for each in closed)
    if needless:
        assert sum(each.size for each in stays) + needless[-1].size > bytes_max


def test_full_disk_pauses_capturing_which_is_said_and_goes_on_once_there_is_room(small_disk: Path) -> None:
    before = metric("ares_ingest_capture_lost_total", channel="trades", cause="disk")
    hand = Hand(small_disk / "sim")
    hog = small_disk / "hog"
    hog.write_bytes(b"x" * 100_000)
    with capture_logs() as logs:
        written = 0
        while not hand.writer.fault:
            hand.write([written], 20_000)
            written += 1
        hand.write([written], 20_000)
        assert hand.writer.fault == "capture pauses: No space left on device"
        assert metric("ares_ingest_capture_paused") == 1
        hog.unlink()
        hand.write([written + 1], 20_000)
    hand.writer.close()
    assert (hand.writer.fault, metric("ares_ingest_capture_paused")) == ("", 0)
    assert [line["event"] for line in logs] == ["capture_paused", "capture_resumed"]
    assert metric("ares_ingest_capture_lost_total", channel="trades", cause="disk") - before == 2
    records = records_in(hand.folder)
    assert numbers_in(records) == [*range(written - 1), written + 1]
    (said,) = [record for record in records if record.kind == "lost"]
    assert (lost_of(said), said.at_ns) == (2, T0 + written + 1)
    assert records.index(said) == len(records) - 2, "it stands where they are missing"


def test_too_little_room_left_for_others_pauses_capturing(tmp_path: Path) -> None:
    hand = Hand(tmp_path / "sim", replace(BOUNDS, disk_free_mb_min=2**40))
    hand.write([1])
    assert "MB are free, see ingest.capture_disk_free_mb_min" in hand.writer.fault
    assert hand.paths() == []


LIMITED = """
import resource, sys
from pathlib import Path
from tests.unit.ingest.test_recorder import Hand, numbers_in, records_in
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
hand = Hand(Path(sys.argv[1]))
for number in range(12):
    hand.write([number], 20_000)
print(hand.writer.fault or "none")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
hand.write([12], 20_000)
hand.writer.close()
print(hand.writer.fault or "none", numbers_in(records_in(hand.folder)))
"""


def test_file_that_may_not_grow_costs_what_did_not_fit_and_another_is_begun(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, tmp_path / "sim"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert said.splitlines()[-1].startswith("none [0, 1, 2, ")
    numbers = [int(word) for word in said.splitlines()[-1].partition("[")[2].rstrip("]").split(", ")]
    assert len(set(numbers)) == len(numbers)
    assert numbers[-1] == 12
    whole = [record for record in records_in(tmp_path / "sim") if record.kind == "lost"]
    assert len(numbers) + sum(map(lost_of, whole)) == 13, "what is not there is said"


CAPTURING = """
import sys, time
from dataclasses import replace
from pathlib import Path
from ares.clock import SystemClock
from ingest.capture.recorder import Recorder
from tests.unit.ingest.test_recorder import ABOUT, BOUNDS, frames_of
recorder = Recorder(Path(sys.argv[1]), ABOUT, replace(BOUNDS, flush_s=0.1, segment_minutes_max=0.005), SystemClock())
recorder.start()
began = time.monotonic()
for number in range(10**9):
    recorder.took("trades", 1, frames_of([number], 300))
    if number % 50 == 0:
        print(number, time.monotonic() - began, flush=True)
        time.sleep(0.005)
"""


def told(pipe: IO[str], until_s: float) -> Iterator[tuple[int, float]]:
    """Which frame was handed over when, until the process has run so long."""
    for line in pipe:
        number, seconds = line.split()
        yield int(number), float(seconds)
        if float(seconds) > until_s:
            return


@pytest.mark.parametrize("until_s", [0.35, 0.8, 1.53])
def test_killed_process_leaves_all_but_its_last_moments(tmp_path: Path, until_s: float) -> None:
    command = [sys.executable, "-c", CAPTURING, str(tmp_path / "sim")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        handed_over = list(told(process.stdout, until_s))
        process.send_signal(signal.SIGKILL)
    captured = numbers_in(records_in(tmp_path / "sim"))
    assert captured == list(range(len(captured))), "a prefix of what was handed over, nothing twice"
    old = [number for number, seconds in handed_over if seconds < until_s - 0.3]
    assert len(captured) > max(old, default=0), "what is older than the flush is there, a slow machine allowed for"
    assert captured[-1] <= handed_over[-1][0] + 50


async def test_writer_that_dies_is_said_and_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_writer: CaptureWriter) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(CaptureWriter, "_require_room", broken)
    recorder = Recorder(tmp_path / "sim", ABOUT, BOUNDS, SystemClock())
    recorder.start()
    recorder.took("trades", 1, frames_of([1]))
    await eventually(lambda: recorder.trouble == "capture ended: a fault of ours")
    assert metric("ares_ingest_capture_paused") == 1
    recorder.took("trades", 1, frames_of([2]))
    recorder.stop()
