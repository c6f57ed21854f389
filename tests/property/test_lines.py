"""The line templates of trades and quotes write what QuestDB's own client writes, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.model.market import ArchivedTrade, Entry, Quote, Side, Source, Trade, TsSource, rows_in
from ares.model.row import Row, Storable
from ares.store.lines import Lines
from tests.helpers import run_of

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)
LONGS = st.integers(-(2**63) + 1, 2**63 - 1)
MOMENTS = st.integers(0, 2**63 - 1)
NUMBERS = st.floats()
SIDES: st.SearchStrategy[Side] = st.sampled_from(["buy", "sell"])
SOURCES: st.SearchStrategy[Source] = st.sampled_from(["stream", "rest", "replay", "import"])
CLOCKS: st.SearchStrategy[TsSource] = st.sampled_from(["venue", "receipt"])
TRADES = st.builds(Trade, WORDS, WORDS, WORDS, LONGS, SIDES, NUMBERS, NUMBERS, MOMENTS, MOMENTS, SOURCES)
ARCHIVED = st.builds(ArchivedTrade, WORDS, WORDS, WORDS, LONGS, SIDES, NUMBERS, NUMBERS, MOMENTS, MOMENTS, SOURCES)
QUOTES = st.builds(Quote, WORDS, WORDS, LONGS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, MOMENTS, MOMENTS, CLOCKS)
ROWS = st.builds(Row, st.just("logs"), MOMENTS, st.just({"level": "info"}), st.fixed_dictionaries({"event": WORDS}))
LINES = Lines()


def plain(thing: Storable) -> Row:
    """The same row without a template, which is left to the client."""
    return Row(thing.table, thing.ts_ns, thing.symbols, thing.columns)


@given(thing=TRADES | ARCHIVED | QUOTES)
def test_template_writes_what_the_client_writes(thing: Trade | Quote) -> None:
    assert LINES.of([thing]) == LINES.of([plain(thing)])


@given(first=TRADES, rest=st.lists(TRADES, max_size=5), receipt_ns=st.none() | MOMENTS)
def test_run_is_written_as_its_trades_are(first: Trade, rest: list[Trade], receipt_ns: int | None) -> None:
    trades = [first, *rest]
    run = run_of(trades)
    if receipt_ns is not None:
        run = msgspec.structs.replace(run, receipts_ns=[receipt_ns] * len(run))
    assert LINES.of([run]) == LINES.of(run.trades())
    assert len(run) == len(run.trades()) == len(trades)


@given(
    things=st.lists(st.lists(TRADES, min_size=1, max_size=9).map(run_of) | TRADES | QUOTES | ROWS, max_size=5),
    rows_max=st.integers(1, 7),
)
def test_blocks_hold_the_same_lines_and_are_no_larger_than_they_should_be(things: list[Entry], rows_max: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ares.store.lines.BLOCK_ROWS", rows_max)
        blocks = list(LINES.blocks(things))
        assert b"".join(blocks) == LINES.of(things)
        assert all(rows_max <= rows < 2 * rows_max for rows in rows_of_blocks(things)[:-1])


def rows_of_blocks(things: list[Entry]) -> list[int]:
    """How many rows each block holds, as told by what makes its lines."""
    counted: list[int] = []

    class Counting(Lines):
        def of(self, entries: Sequence[Entry]) -> bytes:
            counted.append(rows_in(entries))
            return b""

    assert b"".join(Counting().blocks(things)) == b""
    return counted


@given(things=st.lists(TRADES | ARCHIVED | QUOTES | ROWS, max_size=8))
def test_rows_of_all_kinds_keep_their_order(things: list[Storable]) -> None:
    assert LINES.of(things) == b"".join(LINES.of([plain(thing)]) for thing in things)
