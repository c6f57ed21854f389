"""Goal: what is frozen stays, what was missed is made up, and what changed is corrected without forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from analytics.catalog import Catalog, catalog_of
from analytics.facts import Stamp, ValueKey
from analytics.freeze import Freezer
from analytics.keeper import Keeper, Pace
from analytics.scoring import Scorer
from analytics.testing import SYMBOLS, SyntheticMarket
from analytics.truth import TruthReader
from ares.clock import DAY_NS, HOUR_NS, MINUTE_NS, NANOS_PER_SECOND, Clock, SystemClock, floor_ns, to_datetime
from ares.config.settings import DatabaseConfig
from ares.errors import StoreUnavailable
from ares.model.row import Row
from ares.store import Database, Record, RowWriter
from ares.testing.clock import SteppedClock

START_NS = floor_ns(SystemClock().now_ns(), DAY_NS) - 2 * DAY_NS + 9 * HOUR_NS
"""The day before yesterday: tables with a TTL drop what is much older than the newest row, whoever wrote that."""
LATENESS_NS = NANOS_PER_SECOND
MINUTES = 150
BTC = "BTC/USDT"
FROZEN = ("bar_facts", "feature_values", "signal_values", "predictions")
MARKET_TABLES = ("trades", "quotes", "books", "gaps", "venue_bars_1m", "ingest_watermarks")
ALL = catalog_of()
NAMES = {"return_1m", "rsi_14", "ema_cross", "vwap_deviation", "beta_60", "spread", "momentum_15"}
FEW = Catalog(
    tuple(each for each in ALL.features if each.name in NAMES),
    tuple(each for each in ALL.signals if each.name in {"signal_momentum", "signal_direction"}),
)
"""Of bars, of quotes and of another symbol: how they are frozen does not depend on how many there are."""


def keeper_of(
    database: Database,
    writer: RowWriter,
    market: SyntheticMarket,
    clock: Clock,
    *,
    bars_max: int = 1_000,
    catalog: Catalog = FEW,
) -> Keeper:
    """A keeper without a model."""
    venue = market.venue
    scorer = Scorer(database, venue, "direction", Path("no models here"))
    freezer = Freezer(TruthReader(database, venue, catalog), writer, scorer, clock, LATENESS_NS)
    return Keeper(freezer, Pace(0.2, bars_max, 3 * 24 * 60 * MINUTE_NS))


async def freeze_all(keeper: Keeper) -> None:
    """What the service's loops do, until nothing is left."""
    while await keeper.freeze_due():
        pass
    while await keeper.freeze_history():
        pass


async def tell(database: Database, writer: RowWriter, rows: Sequence[Row]) -> None:
    """What ingest does: acknowledged and visible."""
    await writer.write(rows)
    await database.wait_applied(MARKET_TABLES)


async def counted(database: Database, venue: str) -> dict[str, int]:
    """How many rows of each frozen table this venue has."""
    await database.wait_applied(FROZEN)
    found: dict[str, int] = {}
    for table in FROZEN:
        row = await database.fetch_one(f"SELECT count() AS n FROM {table} WHERE venue = %(venue)s", {"venue": venue})
        assert row is not None
        found[table] = int(str(row["n"]))
    return found


async def bars_asof(database: Database, venue: str, moment_ns: int, ts_ns: int) -> Record | None:
    await database.wait_applied(FROZEN)
    return await database.fetch_one(
        "DECLARE @t := %(t)s, @from := %(ts)s, @to := %(ts)s SELECT status, close, volume, revision,"
        " known_at::long AS known_at_ns, known_at_kind FROM bars_asof"
        " WHERE venue = %(venue)s AND symbol = 'BTC/USDT'",
        {"t": to_datetime(moment_ns), "ts": to_datetime(ts_ns), "venue": venue},
    )


async def begun(
    database: Database, writer: RowWriter, venue: str, symbols: Sequence[str] = (BTC,), catalog: Catalog = FEW
) -> tuple[SyntheticMarket, Keeper]:
    """A market of some hours of which everything is frozen, the newest bar in time."""
    market = SyntheticMarket(venue, symbols=symbols)
    end_ns = START_NS + MINUTES * MINUTE_NS
    clock = SteppedClock(end_ns + 2 * NANOS_PER_SECOND)
    rows = [*market.trades(START_NS, MINUTES), *market.marks(clock.now_ns(), end_ns + LATENESS_NS)]
    await tell(database, writer, rows)
    keeper = keeper_of(database, writer, market, clock, catalog=catalog)
    await freeze_all(keeper)
    return market, keeper


async def test_first_start_freezes_history_as_simulated_and_the_newest_bars_as_live(
    database: Database, writer: RowWriter, venue: str
) -> None:
    _, keeper = await begun(database, writer, venue, SYMBOLS, ALL)
    assert keeper.history_is_frozen
    found = await counted(database, venue)
    assert found["bar_facts"] == MINUTES * len(SYMBOLS)
    assert found["feature_values"] == MINUTES * len(SYMBOLS) * len(ALL.features)
    assert found["signal_values"] > 0
    assert found["predictions"] == 0
    last_ns = START_NS + (MINUTES - 1) * MINUTE_NS
    newest = await bars_asof(database, venue, last_ns + 10 * MINUTE_NS, last_ns)
    assert newest is not None
    assert (newest["known_at_kind"], newest["revision"]) == ("live", 0)
    assert newest["known_at_ns"] == last_ns + MINUTE_NS + 2 * NANOS_PER_SECOND
    old = await bars_asof(database, venue, last_ns, START_NS + 30 * MINUTE_NS)
    assert old is not None
    assert (old["known_at_kind"], old["known_at_ns"]) == ("simulated", START_NS + 31 * MINUTE_NS + LATENESS_NS)
    kinds = await database.fetch(
        "SELECT DISTINCT known_at_kind FROM feature_values WHERE venue = %(venue)s AND known_at > ts", {"venue": venue}
    )
    assert {row["known_at_kind"] for row in kinds} == {"live", "simulated"}


async def test_second_start_writes_nothing_again(database: Database, writer: RowWriter, venue: str) -> None:
    market, keeper = await begun(database, writer, venue)
    before = await counted(database, venue)
    known = await bars_asof(database, venue, START_NS + 400 * MINUTE_NS, START_NS + (MINUTES - 1) * MINUTE_NS)
    again = keeper_of(database, writer, market, SteppedClock(keeper.freezer.clock.now_ns() + MINUTE_NS))
    await freeze_all(again)
    assert await counted(database, venue) == before
    assert known == await bars_asof(
        database, venue, START_NS + 400 * MINUTE_NS, START_NS + (MINUTES - 1) * MINUTE_NS
    ), "a frozen row is never written over, not even with the same values"


async def test_bar_is_not_frozen_before_the_watermark_passed_its_lateness(
    database: Database, writer: RowWriter, venue: str
) -> None:
    market, keeper = await begun(database, writer, venue)
    next_ns = START_NS + MINUTES * MINUTE_NS
    rows = market.trades(next_ns, 1)
    now_ns = next_ns + MINUTE_NS + NANOS_PER_SECOND
    await tell(database, writer, [*rows, *market.marks(now_ns, next_ns + MINUTE_NS + LATENESS_NS - 1)])
    assert await keeper.freeze_due() == 0
    await tell(database, writer, market.marks(now_ns + 1, next_ns + MINUTE_NS + LATENESS_NS))
    assert await keeper.freeze_due() == 1
    assert await keeper.freeze_due() == 0


async def test_nothing_is_frozen_before_ingest_says_that_history_is_complete(
    database: Database, writer: RowWriter, venue: str
) -> None:
    market = SyntheticMarket(venue, symbols=[BTC])
    now_ns = START_NS + 10 * MINUTE_NS
    await tell(database, writer, [*market.trades(START_NS, 10), *market.marks(now_ns, now_ns, ["trades"])])
    keeper = keeper_of(database, writer, market, SteppedClock(now_ns))
    assert await keeper.freeze_due() == 0
    assert keeper.frozen_until == {}
    assert not keeper.history_is_frozen
    assert not await keeper.freeze_history()


async def test_late_trade_becomes_a_revision_and_the_first_one_stays(
    database: Database, writer: RowWriter, venue: str
) -> None:
    market, keeper = await begun(database, writer, venue)
    bar_ns = START_NS + (MINUTES - 20) * MINUTE_NS
    frozen_ns = keeper.freezer.clock.now_ns()
    market.prices[BTC] = 500.0
    await tell(database, writer, [market.trade(BTC, bar_ns + 59 * NANOS_PER_SECOND)])
    clock = keeper.freezer.clock
    assert isinstance(clock, SteppedClock)
    await clock.advance(60.0)
    corrected = await keeper.freeze_since(bar_ns)
    assert corrected == 1
    first = await bars_asof(database, venue, frozen_ns, bar_ns)
    second = await bars_asof(database, venue, clock.now_ns(), bar_ns)
    assert first is not None
    assert second is not None
    assert (first["revision"], second["revision"]) == (0, 1)
    assert second["close"] == pytest.approx(500.0, rel=0.01)
    assert (second["known_at_ns"], second["known_at_kind"]) == (clock.now_ns(), "live")
    revised = await database.fetch(
        "SELECT DISTINCT name, symbol FROM feature_values WHERE venue = %(venue)s AND revision = 1", {"venue": venue}
    )
    assert {row["symbol"] for row in revised} == {BTC}
    assert {"return_1m", "rsi_14", "ema_cross", "vwap_deviation"} <= {row["name"] for row in revised}
    assert "time_of_day_sin" not in {row["name"] for row in revised}
    assert await keeper.freeze_since(bar_ns) == 0, "a correction is made once"


async def test_gap_freezes_as_missing_and_heals_into_a_revision(
    database: Database, writer: RowWriter, venue: str
) -> None:
    market, keeper = await begun(database, writer, venue)
    clock = keeper.freezer.clock
    assert isinstance(clock, SteppedClock)
    bar_ns = START_NS + MINUTES * MINUTE_NS
    await clock.advance(60.0)
    ended_ns = bar_ns + 30 * NANOS_PER_SECOND
    hole = market.gap(BTC, bar_ns, ended_ns, "open", 0)
    marks = market.marks(clock.now_ns(), bar_ns + MINUTE_NS + LATENESS_NS)
    await tell(database, writer, [*market.trades(bar_ns, 1), hole, *marks])
    assert await keeper.freeze_due() == 1
    missing = await bars_asof(database, venue, clock.now_ns(), bar_ns)
    assert missing is not None
    assert (missing["status"], missing["close"], missing["volume"]) == ("gap", None, None)
    await clock.advance(60.0)
    await tell(database, writer, [market.gap(BTC, bar_ns, ended_ns, "healed", 1)])
    assert await keeper.freeze_since(bar_ns) == 1
    healed = await bars_asof(database, venue, clock.now_ns(), bar_ns)
    assert healed is not None
    assert (healed["status"], healed["revision"]) == ("traded", 1)
    values = await database.fetch(
        "SELECT revision, value FROM feature_values WHERE venue = %(venue)s AND symbol = 'BTC/USDT'"
        " AND name = 'return_1m' AND ts = %(ts)s ORDER BY revision",
        {"venue": venue, "ts": to_datetime(bar_ns)},
    )
    assert values[0]["value"] is None
    assert values[1]["value"] is not None


async def test_value_that_rests_on_a_bar_frozen_later_is_corrected(
    database: Database, writer: RowWriter, venue: str
) -> None:
    """ETH's bar is certain first: what compares it with BTC's is missing, until BTC's is there too."""
    market, keeper = await begun(database, writer, venue, SYMBOLS)
    bar_ns = START_NS + MINUTES * MINUTE_NS
    clock = keeper.freezer.clock
    assert isinstance(clock, SteppedClock)
    await clock.advance(60.0)
    until_ns = bar_ns + MINUTE_NS + LATENESS_NS
    _, eth = market.marks(clock.now_ns(), until_ns, ["trades"])
    btc, _ = market.marks(clock.now_ns() + 1, until_ns, ["trades"])
    await tell(database, writer, [*market.trades(bar_ns, 1), eth])
    assert await keeper.freeze_due() == 1
    await tell(database, writer, [btc])
    assert await keeper.freeze_due() == 1
    await clock.advance(1.0)
    assert await keeper.correct() == 0, "the bars themselves are as they were"
    await database.wait_applied(FROZEN)
    values = await database.fetch(
        "SELECT name, revision, value IS NULL AS missing FROM feature_values WHERE venue = %(venue)s"
        " AND symbol = 'ETH/USDT' AND ts = %(ts)s AND name IN ('beta_60', 'return_1m') ORDER BY name, revision",
        {"venue": venue, "ts": to_datetime(bar_ns)},
    )
    assert [tuple(row.values()) for row in values] == [
        ("beta_60", 0, True),
        ("beta_60", 1, False),
        ("return_1m", 0, False),
    ]


async def test_frozen_value_of_quotes_that_left_is_taken_back_by_a_gap_alone(
    database: Database, writer: RowWriter, venue: str
) -> None:
    """No quote of that minute is here: they went to the cold tier, and what was made of them stays."""
    market, keeper = await begun(database, writer, venue)
    bar_ns = START_NS + (MINUTES - 1) * MINUTE_NS
    stamp = Stamp(venue, bar_ns + MINUTE_NS, 0)
    await writer.write([stamp.feature(ValueKey(BTC, bar_ns, "spread", 1), 1, 0.5, "h")])
    await freeze_all(keeper)
    scope = {"venue": venue, "ts": to_datetime(bar_ns)}
    newest = (
        "SELECT revision, value FROM feature_values WHERE venue = %(venue)s AND name = 'spread' AND ts = %(ts)s"
        " ORDER BY revision DESC LIMIT 1"
    )
    await keeper.freeze_since(bar_ns)
    await database.wait_applied(FROZEN)
    assert await database.fetch_one(newest, scope) == {"revision": 1, "value": 0.5}
    hole = market.gap(BTC, bar_ns, bar_ns + NANOS_PER_SECOND, "open", 0)
    await tell(database, writer, [Row("gaps", hole.ts_ns, {**hole.symbols, "channel": "quotes"}, hole.columns)])
    await keeper.freeze_since(bar_ns)
    await database.wait_applied(FROZEN)
    assert await database.fetch_one(newest, scope) == {"revision": 2, "value": None}


class WriterThatLosesBars(RowWriter):
    """The process dies after features and signals were acknowledged and before the bars were."""

    async def write(self, rows: Sequence[Row]) -> None:
        if rows and rows[0].table == "bar_facts":
            raise StoreUnavailable("killed here")
        await super().write(rows)


async def test_crash_in_the_middle_of_a_pass_is_made_up_without_a_second_revision(
    database: Database, writer: RowWriter, questdb_config: DatabaseConfig, venue: str
) -> None:
    market = SyntheticMarket(venue, symbols=[BTC])
    end_ns = START_NS + MINUTES * MINUTE_NS
    now_ns = end_ns + 2 * NANOS_PER_SECOND
    await tell(database, writer, [*market.trades(START_NS, MINUTES), *market.marks(now_ns, end_ns + LATENESS_NS)])
    dying = WriterThatLosesBars(questdb_config)
    crashing = keeper_of(database, dying, market, SteppedClock(now_ns))
    with pytest.raises(StoreUnavailable):
        await crashing.freeze_due()
    with pytest.raises(StoreUnavailable):
        await crashing.freeze_history()
    await dying.close()
    half = await counted(database, venue)
    assert half["bar_facts"] == 0
    assert half["feature_values"] > 0
    await freeze_all(keeper_of(database, writer, market, SteppedClock(now_ns + MINUTE_NS)))
    whole = await counted(database, venue)
    assert whole["bar_facts"] == MINUTES
    assert whole["feature_values"] == half["feature_values"]
    assert whole["signal_values"] == half["signal_values"]
    corrected = await database.fetch(
        "SELECT name FROM feature_values WHERE venue = %(venue)s AND revision > 0", {"venue": venue}
    )
    assert corrected == []


async def test_history_comes_in_pieces_the_newest_first_and_skips_what_is_frozen(
    database: Database, writer: RowWriter, venue: str
) -> None:
    market = SyntheticMarket(venue, symbols=[BTC])
    end_ns = START_NS + MINUTES * MINUTE_NS
    long_after_ns = end_ns + 10 * 24 * 60 * MINUTE_NS
    await tell(
        database, writer, [*market.trades(START_NS, MINUTES), *market.marks(long_after_ns, end_ns + LATENESS_NS)]
    )
    keeper = keeper_of(database, writer, market, SteppedClock(long_after_ns), bars_max=50)
    await keeper.freeze_due()
    assert await keeper.freeze_history()
    found = await counted(database, venue)
    assert found["bar_facts"] == 50 + 1, "one piece, and the live bar"
    await freeze_all(keeper)
    whole = await counted(database, venue)
    assert whole["bar_facts"] == MINUTES
    again = keeper_of(database, writer, market, SteppedClock(long_after_ns), bars_max=50)
    await freeze_all(again)
    assert await counted(database, venue) == whole


async def test_live_bar_reads_the_same_by_the_quick_way_and_by_the_slow_one(
    database: Database, writer: RowWriter, venue: str
) -> None:
    clock = SystemClock()
    market = SyntheticMarket(venue, symbols=[BTC])
    first_ns = floor_ns(clock.now_ns(), MINUTE_NS) - 140 * MINUTE_NS
    await tell(database, writer, [*market.trades(first_ns, 139), *market.books(first_ns, 139)])
    await tell(database, writer, market.marks(clock.now_ns(), first_ns + 138 * MINUTE_NS + LATENESS_NS))
    keeper = keeper_of(database, writer, market, clock)
    await keeper.freeze_due()
    await tell(database, writer, market.marks(clock.now_ns(), first_ns + 139 * MINUTE_NS + LATENESS_NS))
    assert await keeper.freeze_due() == 1, "the second time by the quick way"
    await freeze_all(keeper)
    before = await counted(database, venue)
    assert before["bar_facts"] == 139
    assert await keeper.freeze_since(first_ns) == 0, "the slow way finds nothing to correct"
    assert await keeper.correct() == 0
    assert await counted(database, venue) == before
    await tell(database, writer, [market.trade(BTC, first_ns + 130 * MINUTE_NS + 1)])
    assert await keeper.correct() == 1
