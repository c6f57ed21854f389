"""Goal: what is read of a capture is what was written, in order and byte for byte, up to where it is whole."""

from __future__ import annotations

import os
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.capture.records import MalformedRecord, Record, line_of, record_of
from ingest.capture.segments import Block, Hole, SegmentFile, blocks_of
from tests.helpers import missing

T0 = 1_723_161_600_000_000_001

RECORDS = st.builds(
    Record,
    st.integers(0, 2**63 - 1),
    st.sampled_from(["trades", "quotes", "books"]),
    st.integers(0, 2**31),
    st.sampled_from(["recv", "send", "snapshot", "lost", "close"]),
    st.binary(max_size=60) | st.sampled_from([b"", b" ", b"\n", b"a\nb", b"recv64", b'{"e":"aggTrade"}']),
)
BLOCKS = st.lists(st.lists(RECORDS, min_size=1, max_size=5), min_size=1, max_size=5)


def written(folder: Path, blocks: list[list[Record]]) -> tuple[Path, list[int]]:
    """A segment with these blocks, and where each ends."""
    segment = SegmentFile(folder, T0)
    ends = []
    for block in blocks:
        segment.append(b"".join(map(line_of, block)))
        ends.append(segment.size)
    segment.close()
    return segment.path, ends


def read(path: Path) -> tuple[list[Record], list[Hole]]:
    pieces = list(blocks_of(path))
    lines = [line for piece in pieces if isinstance(piece, Block) for line in piece.lines[:-1].split(b"\n")]
    return [record_of(line) for line in lines], [piece for piece in pieces if isinstance(piece, Hole)]


def flat(blocks: list[list[Record]]) -> list[Record]:
    return [record for block in blocks for record in block]


@given(record=RECORDS)
def test_record_survives_being_a_line(record: Record) -> None:
    line = line_of(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert record_of(line[:-1]) == record


@given(line=st.binary(max_size=80).map(lambda text: text.replace(b"\n", b"")))
@example(line=b"1 trades 1 recv64 ?")
@example(line=b"1 \xff 1 recv x")
def test_any_other_line_is_refused_as_such(line: bytes) -> None:
    try:
        record = record_of(line)
    except MalformedRecord:
        return
    assert record_of(line_of(record)[:-1]) == record


@given(blocks=BLOCKS, data=st.data())
def test_torn_segment_is_read_up_to_its_last_whole_block(blocks: list[list[Record]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, ends = written(Path(folder), blocks)
        cut = data.draw(st.integers(0, ends[-1]))
        os.truncate(path, cut)
        whole = [block for block, end in zip(blocks, ends, strict=True) if end <= cut]
        records, holes = read(path)
        assert records == flat(whole)
        at = max([end for end in ends if end <= cut], default=0)
        assert holes == ([] if at == cut else [Hole(at, None)])


@given(blocks=BLOCKS, data=st.data())
def test_spoiled_byte_costs_the_block_it_lies_in_and_no_other(blocks: list[list[Record]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, ends = written(Path(folder), blocks)
        at = data.draw(st.integers(0, ends[-1] - 1))
        content = bytearray(path.read_bytes())
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        hit = next(number for number, end in enumerate(ends) if at < end)
        records, holes = read(path)
        kept = [block for number, block in enumerate(blocks) if number != hit]
        start = ends[hit - 1] if hit else 0
        assert records == flat(kept)
        assert holes == [Hole(start, ends[hit] if hit < len(blocks) - 1 else None)]


def test_segment_is_for_its_owner_and_zstd_reads_it(tmp_path: Path) -> None:
    blocks = [[Record(T0, "trades", 1, "recv", b'{"e":"aggTrade"}')], [Record(T0 + 1, "trades", 1, "close", b"bye")]]
    path, _ = written(tmp_path, blocks)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.relative_to(tmp_path).as_posix() == "2024-08-09/2024-08-09T000000.000000001Z.zst"
    try:
        text = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
    except FileNotFoundError:
        missing("zstd is not installed: apt-get install zstd")
    assert text.decode().splitlines() == [f'{T0} trades 1 recv {{"e":"aggTrade"}}', f"{T0 + 1} trades 1 close bye"]


def test_segment_without_a_block_does_not_stay(tmp_path: Path) -> None:
    segment = SegmentFile(tmp_path, T0)
    segment.close()
    assert not segment.path.exists()
    with pytest.raises(FileNotFoundError):
        list(blocks_of(segment.path))
