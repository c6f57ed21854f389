"""Goal: what the README tells a newcomer is true: its commands exist, its queries run, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ares.config.settings import DatabaseConfig
from ares.store import Database

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUERIES = sorted((ROOT / "docs" / "guides" / "analyst" / "queries").glob("*.sql"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_readme_shows_five_analyst_queries_word_for_word() -> None:
    shown = [block.strip() for block in blocks("sql")]
    assert len(shown) == 5
    assert shown == [file.read_text(encoding="utf-8").strip() for file in QUERIES[:5]]


@pytest.mark.parametrize("query", [file.read_text(encoding="utf-8") for file in QUERIES], ids=[f.stem for f in QUERIES])
async def test_analyst_query_runs_as_the_read_only_user(questdb_config: DatabaseConfig, query: str) -> None:
    async with await Database.connect(questdb_config, readonly=True) as database:
        await database.fetch(query)


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/roadmap.md", "docs/guides/operator/run.md"])
def test_links_lead_to_files_that_exist(page: str) -> None:
    path = ROOT / page
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []
