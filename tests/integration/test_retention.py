"""Rows leave QuestDB only once they are proved in the cold tier and nothing needs them; asked as one, all are there."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ares.clock import DAY_NS, HOUR_NS, SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.errors import OperatingError, UnknownName, UsageError
from ares.model.row import Row, UtcNs
from ares.store import Database
from backup.tiers.commands import asked, planned, weighed
from backup.tiers.retention import alone
from tests.helpers import ROOT
from tests.tiered import (
    SPAN,
    TODAY_NS,
    WHOLE,
    ask,
    config_of,
    emptied,
    number,
    outcomes,
    quote,
    quotes,
    run,
    stored,
    trades,
    with_rule,
)

KILLS = int(os.environ.get("ARES_TEST_RETENTION_KILLS", "1"))


@pytest.fixture
def config(tiered_questdb: DatabaseConfig, tmp_path: Path) -> AresConfig:
    return config_of(tiered_questdb, tmp_path)


@pytest.fixture
async def hot(tiered_questdb: DatabaseConfig) -> AsyncIterator[Database]:
    async with emptied(tiered_questdb) as database:
        yield database


@pytest.fixture
async def hot_with_bars(tiered_questdb: DatabaseConfig) -> AsyncIterator[Database]:
    async with emptied(tiered_questdb, views=True) as database:
        yield database


async def test_days_are_copied_and_proved_before_they_are_dropped_and_are_there_as_one(
    hot: Database, config: AresConfig
) -> None:
    await stored(hot, config, quotes())
    before = await ask(config, "SELECT * EXCLUDE (received_at) FROM quotes ORDER BY update_id")
    done = await run(config, "quotes")
    copies = [each for each in done if each.step.action == "copy"]
    drops = [each for each in done if each.step.action == "drop"]
    assert len(copies) == 2 * 4
    assert all("copied and proved" in each.outcome for each in copies)
    assert [each.outcome for each in drops] == ["dropped, 24 rows"] * 3
    assert await number(hot, "SELECT count() AS n FROM quotes") == 6 * 24
    assert await ask(config, "SELECT * EXCLUDE (received_at) FROM quotes ORDER BY update_id") == before
    states = await hot.fetch("SELECT state, count() AS n FROM cold_partitions ORDER BY state")
    assert states == [{"state": "dropped", "n": 6}, {"state": "proved", "n": 2}]
    assert await run(config, "quotes") == []


async def test_span_of_a_question_cuts_both_tiers_to_the_nanosecond(hot: Database, config: AresConfig) -> None:
    await stored(hot, config, quotes())
    await run(config, "quotes")
    cut = (TODAY_NS - 7 * DAY_NS + 6 * HOUR_NS, TODAY_NS - 2 * DAY_NS + 6 * HOUR_NS)
    assert await ask(config, "SELECT count(*) FROM quotes", cut) == [(5 * 24,)]
    assert await ask(config, "SELECT min(epoch_ns(ts)), max(epoch_ns(ts)) FROM quotes", cut) == [
        (cut[0] + 123, cut[1] - DAY_NS // 12 + 123)
    ]


async def test_bars_stay_when_the_trades_that_they_were_made_of_go(hot_with_bars: Database, config: AresConfig) -> None:
    hot = hot_with_bars
    await stored(hot, config, trades())
    bars = "SELECT count() AS n FROM bars_1m"
    async with asyncio.timeout(30):
        while await number(hot, bars) < 8 * 12:
            await asyncio.sleep(0.05)
    shown = await number(hot, bars)
    done = await run(config, "trades")
    assert outcomes(done)[-3:] == ["drop dropped, 12 rows"] * 3
    assert sum(each.step.action == "parquet" for each in done) == 2
    assert await number(hot, "SELECT count() AS n FROM trades") == 6 * 12
    assert await number(hot, bars) == shown
    views = await hot.fetch("SELECT view_name, view_status, invalidation_reason FROM materialized_views()")
    assert [view for view in views if view["view_status"] != "valid"] == []
    assert await hot.fetch("SELECT ttlValue AS ttl FROM tables() WHERE table_name = 'trades'") == [{"ttl": 0}]
    assert await ask(config, "SELECT count(*), count(DISTINCT seq), max(received_at - ts) FROM trades")
    weights = {row["table"]: row for row in await weighed(config)}
    assert weights["trades"]["dropped"] == 3


async def test_trades_stay_while_a_late_one_could_still_arrive_for_their_bars(
    hot: Database, config: AresConfig
) -> None:
    await stored(hot, config, trades())
    late = config.model_copy(update={"database": config.database.model_copy(update={"retention_trades_days": 0})})
    drops = [each for each in await run(late, "trades") if each.step.action == "drop"]
    assert drops
    assert all("set database.retention_trades_days to at most 4" in each.outcome for each in drops)
    assert await number(hot, "SELECT count() AS n FROM trades") == 9 * 12


async def test_nothing_goes_that_a_backup_a_gap_or_a_dataset_still_needs(hot: Database, config: AresConfig) -> None:
    lake = config.lake.model_copy(update={"backup_before_drop": "proved"})
    careful = config.model_copy(update={"lake": lake})
    old_ns = TODAY_NS - 8 * DAY_NS
    gap = {"venue": "v", "symbol": "BTC/USDT", "channel": "quotes", "status": "open", "cause": "silence"}
    span = {"started_at": UtcNs(old_ns), "ended_at": UtcNs(old_ns + HOUR_NS)}
    dataset = {"name": "set", "status": "made", "gap_verdict": "whole"}
    held = {"span_from": UtcNs(old_ns), "span_to": UtcNs(old_ns + 2 * DAY_NS), "source": "quotes"}
    await stored(hot, careful, quotes())
    await stored(hot, careful, [Row("gaps", TODAY_NS, gap, {"gap_id": "g1", "revision": 1, **span})])
    await stored(hot, careful, [Row("datasets", TODAY_NS, dataset, {"version": 1, **held})])
    refusals = [each.step.refusals for each in await run(careful, "quotes") if each.step.action == "drop"]
    assert any("gap g1" in reason for reason in refusals[0])
    assert any("dataset set@1" in reason for reason in refusals[0])
    assert all(any("no restore drill" in reason for reason in reasons) for reasons in refusals)
    assert len(refusals) == 3

    drill = {"drill_id": "d1", "proved_to": UtcNs(time.time_ns())}
    await stored(hot, careful, [Row("restore_drills", time.time_ns(), {"status": "ok"}, drill)])
    steps = [step for step in await planned(careful, ["quotes"], SystemClock()) if step.action == "drop"]
    assert [len(step.refusals) for step in steps] == [2, 1, 0]
    await stored(
        hot, careful, [Row("gaps", TODAY_NS + 1, {**gap, "status": "healed"}, {"gap_id": "g1", "revision": 2, **span})]
    )
    await stored(
        hot, careful, [Row("datasets", TODAY_NS + 1, {**dataset, "status": "retired"}, {"version": 1, **held})]
    )
    assert outcomes(await run(careful, "quotes")) == ["drop dropped, 24 rows"] * 3


async def test_row_that_comes_after_the_copy_is_copied_too_and_one_after_the_drop_is_added(
    hot: Database, config: AresConfig
) -> None:
    await stored(hot, config, quotes())
    await run(with_rule(config, table="quotes", cold_after_days=4), "quotes")
    late_ns = TODAY_NS - 7 * DAY_NS + HOUR_NS
    await stored(hot, config, [quote(late_ns, "BTC/USDT", 90_001)])
    done = outcomes(await run(config, "quotes"))
    assert done[0] == "copy copied and proved, 13 rows, revision 2"
    assert done[1:] == ["drop dropped, 24 rows", "drop dropped, 25 rows", "drop dropped, 24 rows"]
    await stored(hot, config, [quote(late_ns + 1, "BTC/USDT", 90_002)])
    assert await ask(config, WHOLE) == [(9 * 24 + 2, 9 * 24 + 2, sum(range(9 * 24)) + 180_003)]
    assert outcomes(await run(config, "quotes")) == [
        "copy copied and proved, 14 rows, revision 3",
        "drop dropped, 1 rows",
    ]
    assert await ask(config, WHOLE) == [(9 * 24 + 2, 9 * 24 + 2, sum(range(9 * 24)) + 180_003)]


async def test_row_that_changed_after_the_copy_keeps_its_day_until_it_is_copied_again(
    hot: Database, config: AresConfig
) -> None:
    rows = quotes()
    await stored(hot, config, rows)
    await run(with_rule(config, table="quotes", cold_after_days=4), "quotes")
    oldest = min(rows, key=lambda row: row.ts_ns)
    await stored(
        hot, config, [quote(oldest.ts_ns, oldest.symbols["symbol"], int(str(oldest.columns["update_id"])), 7.0)]
    )
    first = outcomes(await run(config, "quotes"))
    assert "rows were changed after the copy" in first[0]
    second = outcomes(await run(config, "quotes"))
    assert second == ["copy copied and proved, 12 rows, revision 2", "drop dropped, 24 rows"]
    assert await ask(config, "SELECT count(*) FROM quotes WHERE bid - update_id = 7.0") == [(1,)]


async def test_books_and_months_come_back_as_they_were(hot: Database, config: AresConfig) -> None:
    rows = []
    for day in range(9):
        ts_ns = TODAY_NS - day * DAY_NS + 1
        book = {"update_id": day, "bids": [[1.0, 2.0], [3.0, 4.0]], "asks": [[5.0], [6.0]], "received_at": None}
        rows.append(Row("books", ts_ns, {"venue": "v", "symbol": "BTC/USDT", "ts_source": "venue"}, book))
    for month in range(3):
        ts_ns = TODAY_NS - 31 * (month + 1) * DAY_NS
        rate = {"rate": 0.0001 * month, "mark_price": None, "index_price": None, "funding_at": UtcNs(ts_ns)}
        rows.append(
            Row(
                "funding", ts_ns, {"venue": "v", "symbol": "BTC/USDT", "kind": "settled"}, {**rate, "received_at": None}
            )
        )
    await stored(hot, config, rows)
    books = await ask(config, "SELECT * FROM books ORDER BY update_id")
    funding = await ask(config, "SELECT * FROM funding ORDER BY ts", (TODAY_NS - 200 * DAY_NS, SPAN[1]))
    done = await run(config, "books", "funding")
    assert sum("dropped" in each.outcome for each in done) >= 4
    assert await ask(config, "SELECT * FROM books ORDER BY update_id") == books
    assert len(books) == 9
    assert await ask(config, "SELECT * FROM funding ORDER BY ts", (TODAY_NS - 200 * DAY_NS, SPAN[1])) == funding
    assert len(funding) == 3


async def test_question_that_cannot_be_answered_says_the_way_out(hot: Database, config: AresConfig) -> None:
    await stored(hot, config, quotes(days=2))
    with pytest.raises(UnknownName, match="orders"):
        await ask(config, "SELECT * FROM orders")
    with pytest.raises(UsageError, match="Only reading"):
        await ask(config, "DROP TABLE quotes")
    small = config.model_copy(update={"lake": config.lake.model_copy(update={"sql_hot_rows_max": 10})})
    with pytest.raises(UsageError, match="--from"):
        await ask(small, "SELECT * FROM quotes")
    with pytest.raises(OperatingError, match="refused"):
        await ask(config, "SELECT nope FROM quotes")
    with pytest.raises(OperatingError, match="DuckDB"):
        await ask(config, "SELECT * FROM quotes, read_text('/etc/hostname')")


async def test_answer_is_in_its_file_whole_or_the_file_is_as_before(
    hot: Database, config: AresConfig, tmp_path: Path
) -> None:
    await stored(hot, config, quotes(days=1))
    file = tmp_path / "out" / "a.csv"
    file.parent.mkdir()
    assert await asked(config, "SELECT update_id FROM quotes ORDER BY update_id", SPAN, 1, file) == 24
    before = file.read_bytes()
    with pytest.raises(OperatingError):
        await asked(config, "SELECT CAST(symbol AS INTEGER) FROM quotes", SPAN, 1, file)
    assert [each.read_bytes() for each in file.parent.iterdir()] == [before]


def test_second_run_on_the_same_machine_is_refused(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(OperatingError, match="another run"), alone(tmp_path):
        pass


async def test_run_that_is_killed_anywhere_loses_nothing_and_the_next_one_finishes(
    hot: Database, config: AresConfig
) -> None:
    await stored(hot, config, quotes())
    chance = random.Random(7)
    for _ in range(KILLS):
        child = subprocess.Popen(  # noqa: ASYNC220 - it is killed within seconds
            [sys.executable, "-m", "ares.cli", "data", "retention", "apply", "--table", "quotes"],
            cwd=ROOT,
            env=os.environ | variables(config),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert child.stderr is not None
        await asyncio.to_thread(child.stderr.readline)  # it says what it copies first
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stderr.close()
        assert await ask(config, WHOLE) == [(9 * 24, 9 * 24, sum(range(9 * 24)))]
    await run(config, "quotes")
    assert await number(hot, "SELECT count() AS n FROM quotes") == 6 * 24
    assert await ask(config, WHOLE) == [(9 * 24, 9 * 24, sum(range(9 * 24)))]


def variables(config: AresConfig) -> dict[str, str]:
    database = config.database
    rules = [rule.model_dump() for rule in config.lake.tiers]
    return {
        "ARES_ENVIRONMENT__STATE_DIR": str(config.environment.state_dir),
        "ARES_DATABASE__HTTP_PORT": str(database.http_port),
        "ARES_DATABASE__PG_PORT": str(database.pg_port),
        "ARES_DATABASE__HEALTH_PORT": str(database.health_port),
        "ARES_LAKE__TIERS": json.dumps(rules),
        "ARES_LAKE__BACKUP_BEFORE_DROP": "any",
    }
