"""Goal: what the analyst's first day is told to type works, word for word, against a real QuestDB."""

from __future__ import annotations

import asyncio
import re
import shlex
import typing
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics.testing import SyntheticMarket
from ares.cli import app
from ares.clock import DAY_NS, HOUR_NS, SystemClock, floor_ns
from ares.config.settings import DatabaseConfig
from ares.store import Database, RowWriter
from ares.store.pool import Value
from tests.helpers import ROOT, settings_file
from tests.views.test_definitions import write_settled

GUIDE = ROOT / "docs" / "guides" / "analyst" / "first-day.md"
LIMITS = GUIDE.with_name("statement-limits.md")


def blocks(page: Path, language: str) -> list[str]:
    return [
        block.strip() for block in re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]


async def typed(line: str) -> str:
    program, *words = shlex.split(line)
    assert program == "ares"
    result = await asyncio.to_thread(CliRunner().invoke, app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


async def asked(config: DatabaseConfig, sql: str) -> list[Mapping[str, Value]]:
    async with await Database.connect(config, readonly=True, ours=False) as database:
        return list(await database.fetch(sql.rstrip(";")))


@pytest.fixture
async def stored(database: Database, writer: RowWriter, venue: str) -> None:
    """An hour of yesterday and the last hours of a market."""
    market, now_ns = SyntheticMarket(venue), SystemClock().now_ns()
    start_ns = floor_ns(now_ns, DAY_NS) - 2 * HOUR_NS
    rows = [*market.trades(start_ns, 60), *market.trades(floor_ns(now_ns, HOUR_NS) - HOUR_NS, 60)]
    await write_settled(database, writer, [*rows, *market.marks(now_ns, floor_ns(now_ns, HOUR_NS))])


@pytest.mark.usefixtures("stored")
async def test_first_day_works_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, database: Database, venue: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue)))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.chdir(tmp_path)
    said = {line: await typed(line) for block in blocks(GUIDE, "sh") for line in block.splitlines()}
    assert len(said) == 5
    assert all(len(text) > 100 for text in said.values()), "each shows something"
    assert re.search(rf"{venue} BTC/USDT [\d-]+: traded [1-9]", (tmp_path / "coverage.svg").read_text(encoding="utf-8"))

    (printed,) = [text for line, text in said.items() if line.startswith("ares db dsn")]
    (dsn,) = re.findall(r"^ +(postgresql://\S+)$", printed, re.MULTILINE)
    (notebook,) = blocks(GUIDE, "python")
    known: dict[str, typing.Any] = {}
    exec(notebook.replace("postgresql://…", dsn), known)
    assert {row[1] for row in known["rows"]} >= {"BTC/USDT"}

    question, view, of_the_view = blocks(GUIDE, "sql")
    assert await asked(questdb_config, question)
    await database.execute(view.rstrip(";"))
    try:
        assert await asked(questdb_config, of_the_view)
    finally:
        await database.execute("DROP VIEW hourly_range_v1")


async def test_question_about_cancelled_statements_runs(questdb_config: DatabaseConfig) -> None:
    (question,) = blocks(LIMITS, "sql")
    assert isinstance(await asked(questdb_config, question), list)


def test_links_and_settings_of_both_pages_exist() -> None:
    for page in (GUIDE, LIMITS):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
            assert (page.parent / target).exists(), target
        config = (ROOT / "docs" / "reference" / "config.md").read_text(encoding="utf-8")
        for section, key in re.findall(r"`(analysts|database)\.(\w+)`", text):
            assert f"ARES_{section}__{key}`".upper() in config, key
    assert (ROOT / "docs" / "adr" / "0046-what-a-persons-statement-may-take.md").exists()
