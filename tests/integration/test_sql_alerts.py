"""Goal: SQL alerts fire for rows that must fire them, not for rows that must not, and are no silence without rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest

from alerting.sql_rules import RULES, SqlRule
from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.store import Database, RowWriter
from ares.store.pool import Record, as_float
from tests.questdb import serving, small
from tests.sql_alerts import CASES, UNANSWERED, Cases, moved

Answers = Mapping[str, Sequence[Record]]
CLOCK = SystemClock()


class Seen(NamedTuple):
    """What all rules answered, step by step."""

    none: Answers
    early: Answers
    quiet: Answers
    firing: Answers


async def answers(config: DatabaseConfig) -> Answers:
    """What Grafana's user gets."""
    async with await Database.connect(config, readonly=True) as database:
        return {rule.name: await database.fetch(rule.statement) for rule in RULES}


async def with_rows(config: DatabaseConfig, rows_of: Mapping[str, Sequence[tuple[float, object]]]) -> Answers:
    """The answers once these are there."""
    writer = RowWriter(config)
    now_ns = CLOCK.now_ns()
    rows = [row for aged in rows_of.values() for row in moved(aged, now_ns)]  # type: ignore[arg-type]  # rows of cases
    await writer.write(rows)
    await writer.close()
    async with await Database.connect(config) as database:
        await database.wait_applied({row.table for row in rows})
    return await answers(config)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Answers as rows come: none, those that fire first, those that must not fire, those that must beside them."""
    config = small()
    with serving(config, tmp_path_factory.mktemp("alerts"), schema=True):
        none = asyncio.run(answers(config))
        early = asyncio.run(with_rows(config, {name: each.firing for name, each in CASES.items() if each.fires_first}))
        quiet = asyncio.run(with_rows(config, {name: each.quiet for name, each in CASES.items()}))
        late = {name: each.firing for name, each in CASES.items() if not each.fires_first}
        yield Seen(none, early, quiet, asyncio.run(with_rows(config, late)))


def fires(rule: SqlRule, rows: Sequence[Record]) -> list[Record]:
    """The rows for which Grafana's condition holds."""
    return [row for row in rows if row["value"] is not None and as_float(row["value"]) > rule.above]


def of_cases(rows: Sequence[Record], names: set[str]) -> list[Record]:
    """Rows without a name, or that name one of these."""
    return [row for row in rows if set(row) == {"value"} or names & {str(each) for each in row.values()}]


def named(aged: Sequence[tuple[float, object]]) -> set[str]:
    """What the rows of a case call what they are of: accounts, venues, strategies, models."""
    kinds = ("account", "venue", "strategy", "model")
    return {each.symbols[kind] for _, each in aged for kind in kinds if kind in each.symbols} - {"sim", "s"}  # type: ignore[attr-defined]  # rows


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_alert_does_not_fire_for_rows_that_must_not(rule: SqlRule, seen: Seen) -> None:
    rows = of_cases(seen.quiet[rule.name], named(CASES[rule.name].quiet))
    assert rows, "no answer is NoData, which alerts"
    assert fires(rule, rows) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_alert_fires_for_rows_that_must(rule: SqlRule, seen: Seen) -> None:
    cases: Cases = CASES[rule.name]
    firing = fires(rule, (seen.early if cases.fires_first else seen.firing)[rule.name])
    assert cases.label in [{name: value for name, value in row.items() if name != "value"} for row in firing]
    if cases.label:
        quiet = of_cases(firing, named(cases.quiet))
        assert quiet == [], "what is well stays so beside it"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_alert_without_any_row_is_no_answer_and_so_no_silence(rule: SqlRule, seen: Seen) -> None:
    known = [row for row in seen.none[rule.name] if row["value"] is not None]
    assert (known == []) == (rule.name in UNANSWERED)
