"""Goal: a spool gives back everything in order, whatever is put, taken and acknowledged, and whenever it dies."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ares.clock import SystemClock
from ares.model.market import Entry, rows_in
from ares.model.row import Row
from ingest import spool as spools
from ingest.spool import MAGIC, Spool, SpoolFull

BYTES_MAX = 4_096


def rows(first: int, count: int) -> list[Entry]:
    return [Row("t", number, {}, {"text": "x" * 40}) for number in range(first, first + count)]


def opened(folder: Path) -> Spool:
    spool = Spool(folder, BYTES_MAX, 1.0, SystemClock())
    spool.open()
    return spool


class Waiting(RuleBasedStateMachine):
    """The spool beside a list; a row that was not acknowledged may come again after a death, never out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.small = spools.SEGMENT_BYTES
        spools.SEGMENT_BYTES = 300
        self.spool = opened(Path(self.folder.name))
        self.waiting: list[Entry] = []
        self.taken: list[Entry] = []
        self.number = 10**6
        self.oldest = 10**6

    @rule(count=st.integers(1, 4))
    def puts(self, count: int) -> None:
        batch = rows(self.number, count)
        try:
            self.spool.append(batch)
        except SpoolFull:
            assert self.spool.share == 1.0
            return
        self.number += count
        self.waiting += batch

    @rule(rows_max=st.integers(1, 10))
    def takes(self, rows_max: int) -> None:
        batch = self.spool.take(rows_max)
        assert batch == self.waiting[: len(batch)]
        assert bool(batch) == bool(self.waiting)
        self.taken += batch
        del self.waiting[: len(batch)]

    @rule()
    def acknowledges(self) -> None:
        self.spool.forget()
        self.taken = []

    @rule()
    def stops_with_rows_of_its_own(self) -> None:
        self.dies()
        self.oldest -= 2
        batch = rows(self.oldest, 2)
        self.spool.prepend(batch)
        self.waiting = [*batch, *self.waiting]
        self.dies()

    @rule()
    def dies(self) -> None:
        self.spool.close()
        self.spool = opened(Path(self.folder.name))
        expected = [*self.taken, *self.waiting]
        again = self.spool.rows - len(expected)
        assert again >= 0, "what was not acknowledged is there"
        found = self.spool.take(10**9)
        assert found[again:] == expected
        self.spool.close()
        self.spool = opened(Path(self.folder.name))
        self.waiting, self.taken = found, []

    @invariant()
    def counts_what_waits(self) -> None:
        assert self.spool.rows == rows_in(self.waiting)
        assert self.spool.size == sum(file.stat().st_size for file in Path(self.folder.name).glob("*.seg"))

    def teardown(self) -> None:
        spools.SEGMENT_BYTES = self.small
        self.spool.close()
        self.folder.cleanup()


TestWaiting = Waiting.TestCase


@settings(max_examples=60)
@given(cut=st.integers(0, 2_000))
def test_file_torn_anywhere_keeps_its_whole_records(cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        spool = opened(Path(name))
        ends = [len(MAGIC)]
        for number in range(10):
            spool.append(rows(number, 1))
            ends.append(spool.size)
        spool.close()
        [path] = Path(name).glob("*.seg")
        path.write_bytes(path.read_bytes()[:cut])
        again = opened(Path(name))
        whole = sum(end <= cut for end in ends[1:])
        assert again.take(100) == [row for number in range(whole) for row in rows(number, 1)]
        again.append(rows(50, 1))
        assert again.take(100) == rows(50, 1)
        again.close()
