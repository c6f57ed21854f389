"""Goal: a row survives the outbox unchanged, whatever its cells are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ares.control.codec import dump_row, load_row
from ares.model.row import Row, UtcNs

NAMES = st.text("abcdefghijklmnop_", min_size=1, max_size=12)
NANOS = st.integers(min_value=0, max_value=2**62)
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.decimals(allow_nan=False, allow_infinity=False, places=10),
    NANOS.map(UtcNs),
    st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3), max_size=2),
)


@given(NAMES, NANOS, st.dictionaries(NAMES, st.text(max_size=20)), st.dictionaries(NAMES, CELLS))
def test_row_reads_back_as_it_was_written(
    table: str, ts_ns: int, symbols: dict[str, str], columns: dict[str, object]
) -> None:
    row = Row(table, ts_ns, symbols, columns)  # type: ignore[arg-type]
    back = load_row(dump_row(row))
    assert back == row
    assert [type(cell) for cell in back.columns.values()] == [type(cell) for cell in columns.values()]
