"""`ares ingest …` as a person types it, against a real QuestDB."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import DatabaseConfig
from ares.errors import StoreUnavailable, UnknownSymbol, UsageError, VenueUnavailable
from ares.model.market import Book, Quote, Trade
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from ingest.commands import app
from ingest.feed import Rejected
from ingest.gaps import Gap, Where
from tests.helpers import settings_file

SYMBOL = "BTC/USDT"


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path, port: int
) -> Iterator[CliRunner]:
    """The command line, configured for the tests' QuestDB and a venue where nobody listens."""
    nobody = f"[venues.{venue}]\nrest_url = 'http://127.0.0.1:{port}'\nws_url = 'ws://127.0.0.1:{port}'\n"
    own = settings_file(tmp_path, questdb_config, venue, f"symbols = ['{SYMBOL}']\n{nobody}")
    monkeypatch.setenv("ARES_CONFIG", str(own))
    return CliRunner()


async def fill(writer: RowWriter, database: Database, venue: str) -> None:
    """Two trades, a quote, a book, a watermark, a gap and a refused frame, just now."""
    now_ns = SystemClock().now_ns()
    first_ns = now_ns - 2 * NANOS_PER_SECOND
    trades = [
        Trade(venue, SYMBOL, str(seq), seq, "buy", 100.0, 1.0, first_ns + seq, now_ns, "stream") for seq in (1, 2)
    ]
    gap = Gap.opened(Where(venue, SYMBOL, "trades"), "id_jump", now_ns, first_ns, 3).bounded(4, now_ns)
    await writer.write(
        [
            *trades,
            Quote(venue, SYMBOL, 1, 99.0, 1.0, 101.0, 1.0, now_ns, now_ns, "receipt"),
            Book(venue, SYMBOL, 1, ((99.0, 1.0),), ((101.0, 1.0),), now_ns, now_ns, "venue"),
            Row(
                "ingest_watermarks",
                now_ns,
                {"venue": venue, "symbol": SYMBOL, "channel": "trades"},
                {"watermark": UtcNs(first_ns), "last_seq": 2, "acked_rows": 2},
            ),
            gap.to_row(now_ns),
            Rejected("trades", "price", "not a number", "{}", now_ns).to_row(venue),
        ]
    )
    await database.wait_applied(["trades", "quotes", "books", "ingest_watermarks", "gaps", "quarantine"])


async def test_status_shows_rates_lag_gaps_and_refused_frames(
    cli: CliRunner, writer: RowWriter, database: Database, venue: str
) -> None:
    await fill(writer, database, venue)
    rows = await run_json(cli, "status", "--json")
    known = next(row for row in rows if row["symbol"] == SYMBOL)
    assert known["trades_stored"] == 2
    assert known["gaps_open"] == 1
    assert known["last_seq"] == 2
    assert 1_000 < int(str(known["watermark_age_ms"])) < 60_000
    assert next(row for row in rows if row["symbol"] == "(unknown)")["quarantined_1h"] == 1


async def test_status_says_which_channel_is_older_than_it_usually_gets(
    cli: CliRunner, writer: RowWriter, database: Database, venue: str
) -> None:
    now_ns = SystemClock().now_ns()
    quotes = [now_ns - 100 * NANOS_PER_SECOND + step * NANOS_PER_SECOND // 10 for step in range(300)]
    books = [now_ns - 29 * NANOS_PER_SECOND + step * NANOS_PER_SECOND for step in range(30)]
    await writer.write(
        [Quote(venue, SYMBOL, n, 99.0, 1.0, 101.0, 1.0, ts_ns, ts_ns, "receipt") for n, ts_ns in enumerate(quotes)]
    )
    await writer.write(
        [Book(venue, SYMBOL, n, ((99.0, 1.0),), ((101.0, 1.0),), t, t, "venue") for n, t in enumerate(books)]
    )
    await database.wait_applied(["quotes", "books"])
    [row] = await run_json(cli, "status", "--json")
    assert (row["quotes_verdict"], row["quotes_usual_ms"], row["quotes_limit_ms"]) == ("silent", 100, 5_000)
    assert (row["books_verdict"], row["books_usual_ms"], row["books_limit_ms"]) == ("fresh", 1_000, 20_000)
    assert 70_000 < int(str(row["quotes_age_ms"])) < 100_000
    assert "trades_verdict" not in row


async def test_status_of_nothing_still_lists_every_configured_symbol(cli: CliRunner) -> None:
    assert [row["symbol"] for row in await run_json(cli, "status", "--json")] == [SYMBOL]


async def test_gaps_are_listed_by_state(cli: CliRunner, writer: RowWriter, database: Database, venue: str) -> None:
    await fill(writer, database, venue)
    assert [row["missing"] for row in await run_json(cli, "gaps", "--status", "open", "--json")] == [2]
    assert await run_json(cli, "gaps", "--status", "lost", "--json") == []


def test_check_of_an_unreachable_venue_says_so_in_one_line(cli: CliRunner, venue: str) -> None:
    error = cli.invoke(app, ["check"]).exception
    assert isinstance(error, VenueUnavailable)
    assert venue in str(error)
    assert "cannot be reached" in str(error)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--symbol", "LOL/USDT", "--hours", "1"], UnknownSymbol),
        (["--symbol", SYMBOL, "--hours", "-1"], UsageError),
        (["--symbol", SYMBOL, "--hours", "nan"], UsageError),
        ([], UsageError),
        (["--hours", "1", "--from", "2024-08-08"], UsageError),
        (["--symbol", SYMBOL, "--hours", "1", "--to", "2024-08-08"], UsageError),
        (["--symbol", "LOL/USDT", "--from", "2024-08-08"], UnknownSymbol),
        (["--from", "yesterday"], UsageError),
        (["--from", "2999-01-01"], UsageError),
        (["--from", "2024-08-08", "--to", "2024-08-08"], UsageError),
        (["--from", "2024-08-08", "--to", "2024-08-07"], UsageError),
        (["--from", "2024-08-08", "--to", "2999-01-01"], UsageError),
        (["--from", "2024-08-08", "--to", "2024-08-09"], VenueUnavailable),
    ],
)
def test_backfill_refuses_what_makes_no_sense(cli: CliRunner, arguments: list[str], expected: type[Exception]) -> None:
    assert isinstance(cli.invoke(app, ["backfill", *arguments]).exception, expected)


def test_heal_without_a_venue_says_so_in_one_line(cli: CliRunner) -> None:
    error = cli.invoke(app, ["heal"]).exception
    assert isinstance(error, VenueUnavailable)
    assert "cannot be reached" in str(error)


def test_backfill_without_a_store_says_so(cli: CliRunner, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("ARES_DATABASE__PG_PORT", str(port))
    monkeypatch.setenv("ARES_DATABASE__CONNECT_S_MAX", "0.5")
    assert isinstance(cli.invoke(app, ["backfill", "--from", "2024-08-08"]).exception, StoreUnavailable)


async def run_json(cli: CliRunner, *arguments: str) -> list[dict[str, object]]:
    """Run a command in a thread, for it starts an event loop of its own."""
    result = await asyncio.to_thread(cli.invoke, app, list(arguments))
    assert result.exception is None, result.exception
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows
