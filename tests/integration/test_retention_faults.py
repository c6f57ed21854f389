"""What goes wrong between a copy and a drop keeps the rows: lost files, rows that come, clocks that jump, deaths."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from ares.clock import DAY_NS, HOUR_NS, NANOS_PER_SECOND, SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.errors import LakeRejected
from ares.model.row import Row
from ares.service import ServiceContext
from ares.store import Database
from backup.tiers.copying import Copier
from backup.tiers.facts import QUERIES, FactReader
from backup.tiers.jobs import retention
from backup.tiers.model import ColdDay, DayKey
from backup.tiers.querying import Gathering
from backup.tiers.retention import Retention, row_of
from tests.tiered import (
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

OLDEST_NS = TODAY_NS - 6 * DAY_NS
BOTH = quotes(days=7, per_day=2)
ROWS = [row for row in BOTH if row.symbols["symbol"] == "BTC/USDT"]
ALL = [(len(ROWS), len(ROWS), sum(int(str(row.columns["update_id"])) for row in ROWS))]
DROPPED = "drop dropped, 2 rows"


@pytest.fixture
def config(tiered_questdb: DatabaseConfig, tmp_path: Path) -> AresConfig:
    """One day is old enough to go."""
    return with_rule(config_of(tiered_questdb, tmp_path), table="quotes", cold_after_days=4, drop_after_days=5)


@pytest.fixture
async def hot(tiered_questdb: DatabaseConfig, config: AresConfig) -> AsyncIterator[Database]:
    """Seven days of two quotes each."""
    async with emptied(tiered_questdb) as database:
        await stored(database, config, ROWS)
        yield database


def copying(config: AresConfig) -> AresConfig:
    return with_rule(config, table="quotes", cold_after_days=4)


def cold_files(config: AresConfig) -> list[Path]:
    return sorted((config.environment.state_dir / "lake/cold/quotes").rglob("*.parquet"))


async def test_day_whose_cold_files_were_lost_since_the_proof_stays_and_is_copied_again(
    hot: Database, config: AresConfig
) -> None:
    await run(copying(config), "quotes")
    for file in cold_files(config):
        file.unlink()
    assert "the cold tier does not give it back" in outcomes(await run(config, "quotes"))[-1]
    assert await number(hot, "SELECT count() AS n FROM quotes") == len(ROWS)
    assert outcomes(await run(config, "quotes")) == ["copy copied and proved, 2 rows, revision 2", DROPPED]
    assert await ask(config, WHOLE) == ALL


async def test_row_that_comes_while_a_day_is_proved_keeps_it(
    hot: Database, config: AresConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved = Copier.is_held

    async def meanwhile(self: Copier, table: str, keys: list[str], day: DayKey, cold: ColdDay) -> bool:
        held = await proved(self, table, keys, day, cold)
        await stored(hot, config, [quote(OLDEST_NS + HOUR_NS, "NEW/USDT", 900)])
        return held

    monkeypatch.setattr(Copier, "is_held", meanwhile)
    assert "refused: rows came" in outcomes(await run(config, "quotes"))[-1]
    monkeypatch.undo()
    assert outcomes(await run(config, "quotes")) == [
        "copy copied and proved, 1 rows, revision 1",
        "drop dropped, 3 rows",
    ]
    assert await ask(config, WHOLE) == [(len(ROWS) + 1, len(ROWS) + 1, ALL[0][2] + 900)]


async def test_each_day_goes_before_the_next_is_looked_at(
    hot: Database, config: AresConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof of many days takes long, and a row that comes for the first meanwhile must not go with it."""
    left: list[int] = []
    proved = Copier.is_held

    async def counted(self: Copier, table: str, keys: list[str], day: DayKey, cold: ColdDay) -> bool:
        left.append(await number(hot, "SELECT count() AS n FROM quotes"))
        return await proved(self, table, keys, day, cold)

    monkeypatch.setattr(Copier, "is_held", counted)
    await run(with_rule(config, table="quotes", cold_after_days=1, drop_after_days=3), "quotes")
    assert left == [14, 12, 10]


async def test_death_at_any_record_loses_nothing_and_the_next_run_goes_on(
    hot: Database, config: AresConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a kill: what was done before a record is done, and nothing remembers it."""

    class DeathError(BaseException):
        """Nobody catches it."""

    record, lives = Retention._record, [0]

    async def dying(self: Retention, table: str, days: Mapping[DayKey, ColdDay]) -> None:
        if days and not lives[0]:
            raise DeathError
        lives[0] -= bool(days)
        await record(self, table, days)

    monkeypatch.setattr(Retention, "_record", dying)
    for lives[0] in (0, 1, 2, 1, 2, 0):  # copied and proved of two days, dropped, and once more when that is seen
        with pytest.raises(DeathError):
            await run(config, "quotes")
        assert await ask(config, WHOLE) == ALL
    lives[0] = 9
    assert await run(config, "quotes") == []
    assert await number(hot, "SELECT count() AS n FROM quotes") == len(ROWS) - 2
    assert await ask(config, WHOLE) == ALL


async def test_export_that_says_other_rows_than_a_query_is_no_copy(
    hot: Database, config: AresConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = QUERIES["export_day"]
    lie = honest.replace(
        "SELECT *",
        "SELECT ts, venue, symbol, ts_source, update_id, ask AS bid, bid_amount, ask, ask_amount, received_at",
    )
    monkeypatch.setitem(QUERIES, "export_day", lie)
    assert {each.split(";")[0] for each in outcomes(await run(copying(config), "quotes"))} == {
        "copy refused: QuestDB's export says other rows than a query, or they just came"
    }
    assert cold_files(config) == []
    monkeypatch.undo()
    assert len(outcomes(await run(copying(config), "quotes"))) == 2


async def test_copy_that_was_never_proved_keeps_rows_that_quest_db_lost_since(
    hot: Database, config: AresConfig
) -> None:
    await run(copying(config), "quotes")
    facts = await FactReader(config, hot).cold_days("quotes")
    day, cold = next((day, cold) for day, cold in facts.items() if day.day_ns == OLDEST_NS)
    unproved = ColdDay("copied", 1, cold.rows, cold.row_hash, cold.delta_version, cold.recorded_ns, cold.location)
    await stored(hot, config, [row_of("quotes", day, unproved)])
    await hot.execute(f"ALTER TABLE quotes DROP PARTITION LIST '{day.date}T00'")
    await hot.wait_applied(["quotes"])
    assert "2 rows" in outcomes(await run(copying(config), "quotes"))[0]
    assert await ask(config, WHOLE) == ALL


async def test_rule_that_never_drops_ends_the_age_at_which_the_table_would(hot: Database, config: AresConfig) -> None:
    await hot.execute("ALTER TABLE quotes SET TTL 70 DAYS")
    await hot.wait_applied(["quotes"])
    await run(copying(config), "quotes")
    assert await hot.fetch("SELECT ttlValue AS n FROM tables() WHERE table_name = 'quotes'") == [{"n": 0}]


async def test_age_that_a_dead_run_left_ends_with_the_next_though_it_is_switched_off(
    hot: Database, config: AresConfig
) -> None:
    for table in ("trades", "books"):
        await hot.execute(f"ALTER TABLE {table} SET TTL 70 DAYS")
    await hot.wait_applied(["trades", "books"])
    assert config.lake.retention == "off"
    assert await retention(ServiceContext(config, SystemClock(), "test")) == {"skipped": "lake.retention is off"}
    ages = await hot.fetch(
        "SELECT table_name AS t, ttlValue AS n FROM tables() WHERE table_name IN ('trades', 'books')"
    )
    assert {str(row["t"]): row["n"] for row in ages} == {"trades": 0, "books": 10}, "70 days are 10 weeks"


async def test_day_that_an_influxdb_shall_have_waits_for_it(hot: Database, config: AresConfig) -> None:
    influx = config.influx.model_copy(update={"url": "http://there", "tables": ("quotes",)})
    copied = config.model_copy(update={"influx": influx})
    assert "the InfluxDB has not 2 of 2 rows of 20" in outcomes(await run(copied, "quotes"))[-1]
    sent = Row("copies", OLDEST_NS, {"target": str(influx.target), "table_name": "quotes"}, {"row_count": 2})
    await stored(hot, config, [sent])
    try:
        assert outcomes(await run(copied, "quotes")) == [DROPPED]
    finally:
        await hot.execute("TRUNCATE TABLE copies")


async def test_day_that_leaves_while_it_is_asked_for_is_there_all_the_same(
    hot: Database, config: AresConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(copying(config), "quotes")
    runs: list[Sequence[str]] = []
    look = Gathering._sources

    async def dropping(self: Gathering, *words: object) -> object:
        found = await look(self, *words)  # type: ignore[arg-type] # as they come
        if not runs:
            runs.append(outcomes(await run(config, "quotes")))
        return found

    monkeypatch.setattr(Gathering, "_sources", dropping)
    assert await ask(config, WHOLE) == ALL
    assert runs == [[DROPPED]]


async def test_cold_tier_that_is_not_the_one_of_then_is_said_and_not_taken_for_empty(
    hot: Database, config: AresConfig
) -> None:
    await run(config, "quotes")
    lake = config.environment.state_dir / "lake"
    shutil.move(lake, lake.with_name("moved"))
    with pytest.raises(LakeRejected, match=r"has 0 of 2 rows of 20.* that were proved in .*lake/cold/quotes"):
        await ask(config, WHOLE)
    shutil.move(lake.with_name("moved"), lake)
    assert await ask(config, WHOLE) == ALL


@pytest.fixture
async def traded(tiered_questdb: DatabaseConfig, tmp_path: Path) -> AsyncIterator[tuple[Database, AresConfig]]:
    """Trades until three days ago, of which three days are old enough to go."""
    config = config_of(tiered_questdb, tmp_path)
    async with emptied(tiered_questdb, views=True) as database:
        await stored(database, config, [row for row in trades() if row.ts_ns < TODAY_NS - 2 * DAY_NS])
        yield database, config


async def test_rows_that_arrive_after_days_of_silence_age_nothing_that_was_not_planned(
    traded: tuple[Database, AresConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    hot, config = traded
    order, today = Retention._set_ttl, [row for row in trades() if row.ts_ns >= TODAY_NS][:1]

    async def then_rows_come(self: Retention, table: str, age: int, unit: str) -> None:
        await order(self, table, age, unit)
        if age:
            await stored(hot, config, today)

    monkeypatch.setattr(Retention, "_set_ttl", then_rows_come)
    await run(config, "trades")
    kept = "SELECT count() AS n FROM trades WHERE ts >= dateadd('d', -5, timestamp_floor('d', now()))"
    assert await number(hot, kept) == 3 * 12 + 1


async def test_nothing_is_told_to_go_by_age_just_before_midnight(
    traded: tuple[Database, AresConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    hot, config = traded

    async def nearly(_: FactReader) -> int:
        return TODAY_NS + DAY_NS - 30 * NANOS_PER_SECOND

    monkeypatch.setattr(FactReader, "server_now_ns", nearly)
    drops = [each for each in await run(config, "trades") if each.step.action == "drop"]
    assert drops
    assert all("nearly midnight" in each.outcome for each in drops)
    assert await number(hot, "SELECT count() AS n FROM trades") == 6 * 12


async def test_minutes_without_trades_do_not_pass_for_bars_that_are_not_frozen(
    traded: tuple[Database, AresConfig],
) -> None:
    """Of a day half of the bars are frozen, and as many quiet minutes."""
    hot, config = traded
    day_ns = TODAY_NS - 7 * DAY_NS
    stamps = [day_ns + hour * HOUR_NS for hour in range(12)]  # every other one has a trade
    words = {"venue": "v", "symbol": "BTC/USDT", "interval": "1m", "status": "traded"}
    await stored(hot, config, [Row("bar_facts", ts_ns, words, {"revision": 0}) for ts_ns in stamps])
    try:
        around = await FactReader(config, hot).around(SystemClock().now_ns(), day_ns)
    finally:
        await hot.execute("TRUNCATE TABLE bar_facts")
    (hold,) = [hold for hold in around.holds if hold.from_ns == day_ns]
    assert "6 of 12 bars are not frozen yet" in hold.reason
