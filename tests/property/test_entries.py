"""Goal: what is on its way into the store comes back from bytes as it was, type by type."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ares.model.market import ArchivedRun, ArchivedTrade, Bar, Book, Entry, Funding, Quote, Trade, TradeRun
from ares.model.row import Row, UtcNs
from ingest.entries import decoded, encoded

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
longs = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
sides = st.sampled_from(["buy", "sell"])
sources = st.sampled_from(["stream", "rest", "replay", "import"])
clocks = st.sampled_from(["venue", "receipt"])
levels = st.lists(st.tuples(floats, floats), max_size=3).map(tuple)
cells = st.one_of(
    st.none(),
    st.booleans(),
    longs,
    floats,
    text,
    longs.map(UtcNs),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.lists(st.lists(floats, max_size=3), min_size=2, max_size=2),
)
columns = st.integers(0, 4).flatmap(
    lambda n: st.tuples(
        *[st.lists(each, min_size=n, max_size=n) for each in (longs, sides, floats, floats, longs, longs)]
    )
)
trades = st.tuples(text, text, text, longs, sides, floats, floats, longs, longs, sources)
entries: st.SearchStrategy[Entry] = st.one_of(
    trades.map(lambda values: Trade(*values)),
    trades.map(lambda values: ArchivedTrade(*values)),
    st.builds(lambda source, values: TradeRun("v", "s", source, *values), sources, columns),
    st.builds(lambda source, values: ArchivedRun("v", "s", source, *values), sources, columns),
    st.builds(Quote, text, text, longs, floats, floats, floats, floats, longs, longs, clocks),
    st.builds(Book, text, text, longs, levels, levels, longs, longs, clocks),
    st.builds(
        Funding, text, text, st.just("settled"), floats, st.none() | floats, st.none() | floats, longs, longs, longs
    ),
    st.builds(Bar, text, text, longs, *[floats] * 6, st.none() | longs, st.none() | floats, longs),
    st.builds(Row, text, longs, st.dictionaries(text, text, max_size=3), st.dictionaries(text, cells, max_size=4)),
)


def kinds(batch: list[Entry]) -> list[object]:
    """What equality does not see: which type a value has."""
    rows = [{name: type(cell) for name, cell in row.columns.items()} for row in batch if isinstance(row, Row)]
    return [*map(type, batch), *rows]


@given(batch=st.lists(entries, max_size=5))
def test_entries_come_back_as_they_were(batch: list[Entry]) -> None:
    again = decoded(encoded(batch))
    assert again == batch
    assert kinds(again) == kinds(batch)


def test_a_decimal_keeps_its_digits() -> None:
    [row] = decoded(encoded([Row("orders", 1, {}, {"price": Decimal("1.5000")})]))
    assert isinstance(row, Row)
    assert str(row.columns["price"]) == "1.5000"
