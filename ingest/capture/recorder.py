"""Writes what lines to a venue tell to segments on disk, in a thread: the collector never waits for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ares.clock import DAY_NS, MINUTE_NS, Clock
from ares.errors import StateDirUnusable
from ares.telemetry import get_logger, metrics
from ingest.capture.inbox import Inbox, Parcel, parcel_of, records_of, single
from ingest.capture.records import About, Answer, Kind, Record, json_of, line_of
from ingest.capture.retention import Bounds, Kept, outlived
from ingest.capture.segments import BLOCK_BYTES, SUFFIX, SegmentFile
from ingest.contracts import Size
from ingest.feed import Channel, Frame

log = get_logger(__name__)

MB = 2**20
TIDY_S = 60.0
STOP_S_MAX = 5.0
SEGMENTS_MIN = 16
"""A capture is cut into so many pieces at least, so that its bound can be held by deleting whole ones."""


class Recorder:
    """The `Tap` that keeps. One per venue; its folder holds `<channel>/<day>/<when>.zst`.

    >>> recorder = Recorder(state_dir / "capture" / "binance", about, bounds, SystemClock())
    >>> recorder.start(); ...; recorder.stop()
    """

    def __init__(self, folder: Path, about: About, bounds: Bounds, clock: Clock) -> None:
        self._writer = CaptureWriter(folder, about, bounds, clock)
        self._clock = clock
        self._connections = 0
        self._inbox = Inbox(on_lost=self._missed)
        self._behind = False
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)

    @property
    def trouble(self) -> str:
        """Why nothing is captured now; empty while all is well."""
        return self._writer.fault

    def describe(self, symbols: Mapping[str, str], sizes: Mapping[str, Size]) -> None:
        """These are the venue's symbols and what their contracts hold; known only once it answered."""
        self._writer.describe(symbols, sizes)

    def start(self) -> None:
        """Begin. Raises `StateDirUnusable`."""
        try:
            self._writer.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateDirUnusable(str(self._writer.folder), str(error.strerror)) from None
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, within a deadline, and end. Call it once nothing is told any more."""
        self._inbox.end(self._clock.now_ns())
        self._ends.set()
        self._inbox.wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S_MAX)
        if self._thread.is_alive():
            log.warning("capture_not_finished", folder=str(self._writer.folder))

    def opened(self, channel: Channel, address: str) -> int:
        self._connections += 1
        self._note(channel, self._connections, "open", address.encode())
        return self._connections

    def took(self, channel: Channel, connection: int, frames: Sequence[Frame]) -> None:
        if frames:
            self._inbox.put(parcel_of(channel, connection, frames), frames[-1].received_at_ns)

    def sent(self, channel: Channel, connection: int, message: bytes) -> None:
        self._note(channel, connection, "send", message)

    def closed(self, channel: Channel, connection: int, reason: bytes) -> None:
        self._note(channel, connection, "close", reason)

    def answered(self, channel: Channel, answer: Answer, at_ns: int) -> None:
        self._inbox.put(single(at_ns, channel, 0, "answer", json_of(answer)), at_ns)

    def _note(self, channel: Channel, connection: int, kind: Kind, payload: bytes) -> None:
        now_ns = self._clock.now_ns()
        self._inbox.put(single(now_ns, channel, connection, kind, payload), now_ns)

    def _missed(self, channel: Channel, messages: int) -> None:
        metrics.INGEST_CAPTURE_LOST.labels(channel, "queue").inc(messages)
        if not self._behind:
            log.warning("capture_behind", channel=channel)
        self._behind = True

    def _work(self) -> None:
        """Until the end: what came since, written every `flush_s`, or sooner when it is much."""
        try:
            while not self._ends.is_set():
                self._inbox.wake.wait(self._writer.bounds.flush_s)
                self._inbox.wake.clear()
                self._writer.write(self._inbox.take())
                self._behind = False
            self._writer.write(self._inbox.take())
        except Exception as error:
            self._writer.fault = f"capture ended: {error}"
            metrics.INGEST_CAPTURE_PAUSED.set(1)
            log.exception("capture_ended")
        finally:
            self._writer.close()


@dataclass(slots=True)
class CaptureWriter:
    """The disk side: used by one thread."""

    folder: Path
    about: About
    bounds: Bounds
    clock: Clock
    fault: str = ""
    _segments: dict[Channel, SegmentFile] = field(default_factory=dict)
    _lost: dict[Channel, int] = field(default_factory=dict)
    _tidied_s: float = float("-inf")

    def describe(self, symbols: Mapping[str, str], sizes: Mapping[str, Size]) -> None:
        """Whose names frames use, and what they count; taken up by segments that begin later."""
        self.about = msgspec.structs.replace(self.about, symbols=dict(symbols), sizes=dict(sizes))

    def write(self, parcels: Iterator[Parcel]) -> None:
        """Everything that waits, in blocks; the rest of what is gathered as well: a death costs no more."""
        gathered: dict[Channel, list[bytes]] = {}
        sizes: dict[Channel, int] = {}
        for parcel in parcels:
            channel = parcel.channel
            lines = gathered.setdefault(channel, [])
            for record in records_of(parcel):
                line = line_of(record)
                lines.append(line)
                sizes[channel] = sizes.get(channel, 0) + len(line)
                if sizes[channel] >= BLOCK_BYTES:
                    self._flush(channel, lines)
                    sizes[channel] = 0
        for channel, lines in gathered.items():
            self._flush(channel, lines)
        if self.clock.monotonic_s() - self._tidied_s >= TIDY_S:
            self._tidy()

    def close(self) -> None:
        """End all files."""
        for channel in list(self._segments):
            self._end(channel)

    def _flush(self, channel: Channel, lines: list[bytes]) -> None:
        """Write these lines as a block. What the disk does not take is counted, and said once it takes again."""
        if not lines:
            return
        messages, missing = len(lines), self._lost.get(channel, 0)
        try:
            self._require_room()
            segment = self._segment(channel)
            if missing:
                lines.insert(0, self._said(channel, missing, lines[0]))
            size = segment.append(b"".join(lines))
        except OSError as error:
            self._pause(channel, messages, error)
        else:
            self._lost.pop(channel, None)
            metrics.INGEST_CAPTURE_FRAMES.labels(channel).inc(messages)
            metrics.INGEST_CAPTURE_BYTES.inc(size)
            self._resume()
        lines.clear()

    def _said(self, channel: Channel, missing: int, before: bytes) -> bytes:
        """The line that says how many are missing, with the time of the one that follows."""
        at_ns = int(before.split(b" ", 1)[0])
        return line_of(Record(at_ns, channel, 0, "lost", json_of(missing)))

    def _require_room(self) -> None:
        """Leave the disk to those who need it more. Raises `OSError`."""
        disk = os.statvfs(self.folder)
        free_mb = disk.f_bavail * disk.f_frsize // MB
        if free_mb < self.bounds.disk_free_mb_min:
            wanted = f"only {free_mb} MB are free, see ingest.capture_disk_free_mb_min"
            raise OSError(0, wanted)

    def _pause(self, channel: Channel, messages: int, error: OSError) -> None:
        self._lost[channel] = self._lost.get(channel, 0) + messages
        metrics.INGEST_CAPTURE_LOST.labels(channel, "disk").inc(messages)
        metrics.INGEST_CAPTURE_PAUSED.set(1)
        if not self.fault:
            log.error("capture_paused", folder=str(self.folder), cause=str(error.strerror))
            self._tidied_s = float("-inf")
        self.fault = f"capture pauses: {error.strerror}"
        self._drop(channel)

    def _resume(self) -> None:
        if self.fault:
            log.info("capture_resumed", folder=str(self.folder))
        self.fault = ""
        metrics.INGEST_CAPTURE_PAUSED.set(0)

    def _segment(self, channel: Channel) -> SegmentFile:
        """The file that takes the channel's next block, begun if need be."""
        now_ns = self.clock.now_ns()
        segment = self._segments.get(channel)
        age_ns_max = round(self.bounds.segment_minutes_max * MINUTE_NS)
        if segment is not None and segment.is_over(now_ns, self._segment_bytes, age_ns_max):
            self._end(channel)
            self._tidy()
            segment = None
        if segment is None:
            segment = SegmentFile(self.folder / channel, now_ns)
            self._segments[channel] = segment
            segment.append(line_of(Record(now_ns, channel, 0, "begin", json_of(self.about))))
        return segment

    @property
    def _segment_bytes(self) -> int:
        return min(self.bounds.segment_mb_max * MB, self.bounds.mb_max * MB // SEGMENTS_MIN)

    def _end(self, channel: Channel) -> None:
        segment = self._segments.pop(channel)
        try:
            segment.close()
        except OSError as error:
            log.warning("capture_segment_not_synced", path=str(segment.path), cause=str(error.strerror))

    def _drop(self, channel: Channel) -> None:
        """After a fault the file is not trusted with more."""
        if channel in self._segments:
            self._end(channel)

    def _tidy(self) -> None:
        """Delete what has been kept long enough, and days without anything."""
        self._tidied_s = self.clock.monotonic_s()
        try:
            self._delete_outlived()
        except OSError as error:
            log.warning("capture_not_tidied", folder=str(self.folder), cause=str(error))

    def _delete_outlived(self) -> None:
        is_open = {segment.path for segment in self._segments.values()}
        kept = [kept_at(path, is_open) for path in self.folder.glob(f"*/*/*{SUFFIX}")]
        from_ns = self.clock.now_ns() - round(self.bounds.days_max * DAY_NS)
        gone = outlived(kept, self.bounds.mb_max * MB, from_ns)
        for each in gone:
            each.path.unlink(missing_ok=True)
            if not any(each.path.parent.iterdir()):
                each.path.parent.rmdir()
        metrics.INGEST_CAPTURE_KEPT_BYTES.set(sum(each.size for each in kept) - sum(each.size for each in gone))
        if gone:
            log.info("capture_segments_deleted", segments=len(gone), bytes=sum(each.size for each in gone))


def kept_at(path: Path, is_open: set[Path]) -> Kept:
    """A segment as it lies on disk."""
    stat = path.stat()
    return Kept(path, stat.st_size, stat.st_mtime_ns, path in is_open)
