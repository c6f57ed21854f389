"""Answers of a real QuestDB as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from ares.clock import NANOS_PER_SECOND
from ares.config.settings import DatabaseConfig
from ares.errors import StoreRejected
from ares.lake.columns import read_columns
from ares.model.row import Row
from ares.store import Database, RowWriter

START_NS = 1_772_323_200 * NANOS_PER_SECOND
BARS = """SELECT ts, symbol, close, trades FROM bar_facts WHERE venue = %(venue)s AND ts >= %(from)s ORDER BY ts"""


async def test_moments_keep_their_nanoseconds_and_a_missing_number_is_nan(
    database: Database, writer: RowWriter, questdb_config: DatabaseConfig, venue: str
) -> None:
    symbols = {"venue": venue, "symbol": "BTC/USDT", "interval": "1m"}
    await writer.write(
        [
            Row("bar_facts", START_NS + 1, symbols, {"revision": 0, "close": 0.1, "trades": 7}),
            Row("bar_facts", START_NS + 60 * NANOS_PER_SECOND, symbols, {"revision": 0, "trades": 0}),
        ]
    )
    await database.wait_applied(["bar_facts"])

    answer = read_columns(questdb_config, BARS, {"venue": venue, "from": START_NS})

    assert answer.rows == 2
    assert answer.names == ("ts", "symbol", "close", "trades")
    assert answer.moments("ts").tolist() == [START_NS + 1, START_NS + 60 * NANOS_PER_SECOND]
    assert answer.numbers("close")[0] == 0.1
    assert np.isnan(answer.numbers("close")[1])
    assert answer.integers("trades").tolist() == [7, 0]
    assert answer.texts("symbol") == ["BTC/USDT", "BTC/USDT"]


async def test_nothing_is_an_answer_too(questdb_config: DatabaseConfig, venue: str) -> None:
    answer = read_columns(questdb_config, BARS, {"venue": venue, "from": START_NS})
    assert answer.rows == 0
    assert answer.numbers("close").tolist() == []
    assert answer.moments("ts").tolist() == []


async def test_a_wrong_statement_is_refused_with_its_reason(questdb_config: DatabaseConfig) -> None:
    with pytest.raises(StoreRejected, match="nowhere"):
        read_columns(questdb_config, "SELECT * FROM nowhere", {})
