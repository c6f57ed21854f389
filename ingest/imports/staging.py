"""Puts points together that come field by field, in a file of SQLite: more than memory holds, in order of time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROLES = (
    "moment", "trade_id", "side", "price", "amount",
    "open", "high", "low", "close", "volume", "cost", "trades", "buy_volume",
)  # fmt: skip
"""What a tag or field can be to us; `moment` is the time where it is not the point's."""
CREATE = """
CREATE TABLE points (
  time INTEGER, series TEXT, moment TEXT, trade_id TEXT, side TEXT, price TEXT, amount TEXT,
  open TEXT, high TEXT, low TEXT, close TEXT, volume TEXT, cost TEXT, trades TEXT, buy_volume TEXT,
  PRIMARY KEY (time, series)
) WITHOUT ROWID
"""
ADD = """
INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (time, series) DO UPDATE SET
  moment = coalesce(excluded.moment, moment), trade_id = coalesce(excluded.trade_id, trade_id),
  side = coalesce(excluded.side, side), price = coalesce(excluded.price, price),
  amount = coalesce(excluded.amount, amount), open = coalesce(excluded.open, open),
  high = coalesce(excluded.high, high), low = coalesce(excluded.low, low), close = coalesce(excluded.close, close),
  volume = coalesce(excluded.volume, volume), cost = coalesce(excluded.cost, cost),
  trades = coalesce(excluded.trades, trades), buy_volume = coalesce(excluded.buy_volume, buy_volume)
"""
READ = """
SELECT time, moment, trade_id, side, price, amount, open, high, low, close, volume, cost, trades, buy_volume
FROM points ORDER BY time, series
"""
COUNT = "SELECT count(*) FROM points"
CACHE = "PRAGMA cache_size = -65536"
JOURNAL = "PRAGMA journal_mode = OFF"
SYNCHRONOUS = "PRAGMA synchronous = OFF"


class Staging:
    """One import's points. As in InfluxDB, what comes later of the same series, time and field takes its place."""

    def __init__(self, path: Path) -> None:
        # One thread at a time uses it, but each block may be read in another.
        self._points = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in (CACHE, JOURNAL, SYNCHRONOUS, CREATE):
            self._points.execute(statement)

    def add(self, points: Iterable[tuple[int, str, Mapping[str, str]]]) -> None:
        """Time (ns), series, and the values by role."""
        self._points.execute("BEGIN")
        self._points.executemany(ADD, ((time, series, *map(said.get, ROLES)) for time, series, said in points))
        self._points.execute("COMMIT")

    def __len__(self) -> int:
        count: int = self._points.execute(COUNT).fetchone()[0]
        return count

    def rows(self) -> Iterator[tuple[int, Mapping[str, str | None]]]:
        """Time and values by role of every point, oldest first; those of one time always in the same order."""
        for time, *values in self._points.execute(READ):
            yield time, dict(zip(ROLES, values, strict=True))

    def close(self) -> None:
        """The file may go."""
        self._points.close()
