"""Copies the newest bars of the real market, and the ticks around them, into a database of a proof's own."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.features.worlds import HORIZON_MINUTES, Bars, Market, minutes, settled
from ares.clock import MINUTE_NS, floor_ns, to_datetime
from ares.model.row import Cell, Row, UtcNs
from ares.store import Database, Param, Record, RowWriter, load_queries
from ares.store.pool import as_int, as_str

QUERIES = load_queries("analytics", "queries/features.sql")
ROWS_MAX = 400_000
"""Of one table. Where there are more the last are left out: for a proof it is enough that something comes later."""

SYMBOLS = ("venue", "symbol", "side", "source", "ts_source", "kind", "model", "version", "known_at_kind", "channel")
WORDS = frozenset({*SYMBOLS, "status", "cause"})
TIMES = frozenset({"received_at", "funding_at", "known_at", "started_at", "ended_at"})
TICKS: Mapping[str, str] = {
    "market_trades": "trades",
    "market_quotes": "quotes",
    "market_books": "books",
    "market_predictions": "predictions",
}
SPARSE: Mapping[str, str] = {"market_funding": "funding", "market_gaps": "gaps"}


async def newest_base(database: Database, venue: str, bars: int) -> int | None:
    """From where on a proof of so many bars has a future of real bars behind it; None if nothing is frozen."""
    row = await database.fetch_one(QUERIES["newest_frozen"], {"venue": venue})
    if row is None or row["ts_ns"] is None:
        return None
    return minutes(floor_ns(as_int(row["ts_ns"]), MINUTE_NS), -bars - HORIZON_MINUTES)


async def copied(real: Database, to: tuple[Database, RowWriter], venue: str, bars: Bars) -> Market:
    """A market of what really happened around these bars. Raises `StoreUnavailable`, `StoreRejected`.

    Far back the bars are enough; ticks are copied from half an hour before the first bar on.
    """
    scratch, writer = to
    first_ns, ticks_ns, last_ns = bars.first_ns, bars.ticks_ns, bars.last_ns
    symbols: set[str] = set()
    spans = {"market_bars": (first_ns, ticks_ns), **dict.fromkeys(TICKS, (ticks_ns, last_ns))}
    spans |= dict.fromkeys(SPARSE, (first_ns, last_ns))
    tables = {"market_bars": "venue_bars_1m", **TICKS, **SPARSE}
    for query, (start_ns, end_ns) in spans.items():
        where: dict[str, Param] = {
            "venue": venue,
            "from": to_datetime(start_ns),
            "to": to_datetime(end_ns),
            "rows_max": ROWS_MAX,
        }
        rows = [row_of(tables[query], record) for record in await real.fetch(QUERIES[query], where)]
        symbols |= {row.symbols["symbol"] for row in rows if "symbol" in row.symbols}
        if rows:
            await writer.write(rows)
    if symbols:
        await writer.write([mark(venue, symbol, last_ns) for symbol in sorted(symbols)])
    await settled(scratch)
    return Market(venue, first_ns, last_ns)


def row_of(table: str, record: Record) -> Row:
    """A row that says the same as what was read."""
    symbols = {name: as_str(value) for name, value in record.items() if name in WORDS and value is not None}
    columns = {name: cell(name, value) for name, value in record.items() if name not in {*WORDS, "ts"}}
    return Row(table, as_int(record["ts"]), symbols, {k: v for k, v in columns.items() if v is not None})


def cell(name: str, value: object) -> Cell:
    """A cell as it is written: times by their name."""
    if value is None:
        return None
    if name in TIMES:
        return UtcNs(as_int(value))
    assert isinstance(value, str | int | float | list), name
    return value


def mark(venue: str, symbol: str, watermark_ns: int) -> Row:
    """A watermark: everything is there."""
    return Row(
        "ingest_watermarks",
        watermark_ns,
        {"venue": venue, "symbol": symbol, "channel": "trades"},
        {"watermark": UtcNs(watermark_ns), "last_seq": 0, "acked_rows": 0},
    )
