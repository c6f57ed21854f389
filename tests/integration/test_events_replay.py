"""Goal: from the log alone every table can be built again, and a table that says anything else is found out."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import orjson
import psutil
import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from analytics.datasets.events import MADE
from analytics.datasets.registry import Registry
from analytics.models.registry import ModelRegistry
from analytics.models.stages import Stages
from ares.clock import SystemClock
from ares.commands.events import app
from ares.config import load_config
from ares.config.settings import DatabaseConfig
from ares.config.trading import StrategyConfig, TradingConfig
from ares.control import ControlStore, NewEvent, StoredEvent
from ares.control.codec import load_row
from ares.control.mirror import Mirror, OutboxFeed
from ares.control.schema import EVENTS
from ares.events import EventRegistry
from ares.events.digest import shown_row
from ares.events.mirror import EventFeed
from ares.events.projection import installed
from ares.events.replay import Proof, Replay, ReplayParts
from ares.model.row import Row
from ares.resilience import Backoff
from ares.security.access.roles import Permission, Role
from ares.security.access.roles import Scope as Confined
from ares.security.access.users import By, KeyWish, Users
from ares.service.config_versions import ConfigVersions
from ares.service.maintenance import Maintenance
from ares.store import Database, RowWriter
from tests.questdb import serving, small
from trader.commander import Order
from trader.events import (
    FILLED,
    INTENDED,
    OPENED,
    SETTLED,
    STEPPED,
    BookOpened,
    FillBooked,
    OrderIntended,
    OrderSettled,
)
from trader.execution.limits import Scope, SetLimits
from trader.limits_configured import limits
from trader.parts import TraderParts
from trader.portfolio.positions import Fill
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.runtime import Trader
from trader.testing import PaperVenue, StaticReader

BTC = "BTC/USDT"
START_NS = 1_790_000_000_000_000_000
MOMENTUM = "signal_momentum"
CLOCK = SystemClock()
KEPT = Path(__file__).parents[1] / "fixtures" / "events"
PROVED = {
    *(
        "events",
        "order_events",
        "fills",
        "position_events",
        "capital",
        "trading_state",
        "limits",
        "config_versions",
        "maintenance",
        "datasets",
        "model_events",
        "users_history",
    )
}
EVENTS_COUNT = int(os.environ.get("ARES_TEST_EVENTS", "10000"))


@pytest.fixture(scope="module")
def own_questdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseConfig]:
    """A QuestDB of this module alone: a replay compares whole tables."""
    config = small()
    with serving(config, tmp_path_factory.mktemp("questdb"), schema=True):
        yield config


@dataclass
class Platform:
    """A control store, an empty QuestDB, and what carries the one to the other."""

    control: ControlStore
    database: Database
    writer: RowWriter
    config: DatabaseConfig
    folded: list[int] = field(default_factory=list)

    async def carry(self) -> None:
        """What the mirror service does."""
        for feed in (OutboxFeed(self.control, 1_000), EventFeed(self.control)):
            backoff = Backoff(0.1, 1.0, random.Random())
            mirror = Mirror(self.control, feed, self.writer, CLOCK, backoff, rows_max=5_000)
            while await mirror.step():
                pass

    def replay(self, name: str) -> Replay:
        parts = ReplayParts(
            self.control, EventRegistry.installed(), self.database, CLOCK, self.writer, self.folded.append
        )
        return Replay(parts, installed(load_config(environ={}))[name])

    async def prove(self) -> dict[str, Proof]:
        proofs = [proof for name in installed(load_config(environ={})) for proof in await self.replay(name).prove()]
        return {proof.table: proof for proof in proofs}

    async def empty(self) -> None:
        for table in PROVED:
            await self.database.execute(f"TRUNCATE TABLE {table}")


@pytest.fixture
async def platform(own_questdb: DatabaseConfig, control: ControlStore) -> AsyncIterator[Platform]:
    writer = RowWriter(own_questdb)
    async with await Database.connect(own_questdb) as database:
        there = Platform(control, database, writer, own_questdb)
        await there.empty()
        yield there
    await writer.close()


def admit(control: ControlStore) -> None:
    """A user who is added, given a key that is revoked, and let in no more."""
    users, by = Users(control, CLOCK), By("operator", "a trial")
    users.add("maria", Role.TRADER, Confined(frozenset({"paper"})), "correct horse battery", by)
    users.make_key("maria", KeyWish("notebook", frozenset({Permission.READ_MARKET})), by)
    (key,) = users.find("maria").keys
    users.revoke_key("maria", key, by)
    users.switch("maria", by, enabled=False)


async def trade(control: ControlStore) -> None:
    """A real trader with a restless venue: adopts, trades, is left without an answer, sells all, is halted."""
    venue = PaperVenue(CLOCK, {BTC: Decimal(50_000)}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})
    config = TradingConfig(
        account="paper",
        venue="sim",
        strategies=(StrategyConfig(name=MOMENTUM, max_position_quote=Decimal(4_000)),),
        adopt_balances_to=MOMENTUM,
        cycle_s=0.001,
    )
    now_ns, mark = CLOCK.now_ns(), Decimal(50_000)
    signals = {(MOMENTUM, 1, BTC): SignalSeen(now_ns, now_ns, 0.5, 1.0)}
    reader = StaticReader(MarketSeen(signals, {BTC: QuoteSeen(mark, mark, now_ns)}, {BTC: mark}))
    parts = TraderParts(
        config=config,
        symbols=(BTC,),
        control=control,
        gateway=venue,
        reader=reader,
        clock=CLOCK,
        instance="one",
        request_s_max=1.0,
    )
    trader = Trader(parts)
    await trader.leadership.wait()
    await trader.begin()
    await trader.cycle.run()
    venue.faults.append("accept_timeout")
    await trader.commander.flatten(Order("test", "end of exercise"))


async def limit(control: ControlStore) -> None:
    """A limit is lowered, raised again by two people, and reset to its setting."""
    configured = limits(TradingConfig())
    there = SetLimits(control, "paper", CLOCK, four_eyes=True)
    scope = Scope("position_quote_max")
    await there.change(configured, scope, Decimal(2_000), actor="ada", reason="thin books")
    asked, _ = await there.change(configured, scope, None, actor="ada", reason="calm again")
    await there.approve(configured, asked.id, "grace")


def learn(control: ControlStore) -> None:
    """A dataset has two versions: a model learnt from one, the other is given up."""
    registry = Registry(control, CLOCK)
    for digest in ("ab" * 32, "cd" * 32):
        version = registry.add(replace(MADE.example, sha256=digest))
    registry.cite(registry.get("direction@1"), "direction@v1")
    registry.retire(version, "operator", "superseded")


def promote(control: ControlStore) -> None:
    """A version becomes champion, and another takes its place."""
    stages = Stages(control, ModelRegistry("", None), CLOCK, "direction", [])
    stages.tell("v1", "registered", "trained", "train")
    for version in ("v1", "v2"):
        stages.crown(version, "passed the gate", "operator")


async def test_whole_life_of_an_account_is_proved_by_its_log(platform: Platform) -> None:
    await trade(platform.control)
    await limit(platform.control)
    ConfigVersions(platform.control, CLOCK, "test").changed(load_config(environ={}), "start")
    ConfigVersions(platform.control, CLOCK, "test").refused("heartbeat_s = -1", "file")
    Maintenance(platform.control, CLOCK).open("operator", "larger disk", 60)
    Maintenance(platform.control, CLOCK).close("operator", "done")
    learn(platform.control)
    promote(platform.control)
    admit(platform.control)
    await platform.carry()
    proofs = await platform.prove()
    assert set(proofs) == PROVED
    assert all(proof.equal for proof in proofs.values()), [p for p in proofs.values() if not p.equal]
    assert all(proof.rows_live == proof.rows_replayed > 0 for proof in proofs.values())
    assert {row["event"] for row in await platform.database.fetch("SELECT DISTINCT event FROM order_events")} >= {
        "intended",
        "order_outcome_unknown",
        "filled",
    }


async def test_row_that_was_altered_or_is_missing_is_named_and_rebuilding_mends_it(platform: Platform) -> None:
    await trade(platform.control)
    await platform.carry()
    database = platform.database
    await database.execute("UPDATE fills SET price = '1'::DECIMAL(28,10)")
    await database.execute("TRUNCATE TABLE position_events")
    await database.wait_applied(["fills", "position_events"])
    proofs = await platform.prove()
    fills, positions = proofs["fills"], proofs["position_events"]
    assert not fills.equal
    assert {each.kind for each in fills.differences} == {"missing", "extra"}
    assert ("price", "1") in next(each.row for each in fills.differences if each.kind == "extra")
    assert not positions.equal
    assert {each.kind for each in positions.differences} == {"missing"}
    assert len(positions.differences) == positions.rows_replayed
    assert all(proof.equal for table, proof in proofs.items() if table not in ("fills", "position_events"))
    assert await platform.replay("positions").rebuild() == fills.rows_replayed + positions.rows_replayed
    assert all(proof.equal for proof in (await platform.prove()).values())


async def test_table_that_is_empty_is_told_from_one_that_is_equal_without_holding_all_rows(platform: Platform) -> None:
    seed(platform.control, orders=300)
    platform.control.advance("questdb_events", platform.control.log_end())
    (proof,) = await platform.replay("orders").prove()
    assert not proof.equal
    assert proof.rows_live == 0
    assert proof.unseen_buckets > 0
    assert 0 < len(proof.differences) < proof.rows_replayed


async def test_what_is_written_while_a_proof_runs_is_no_difference(platform: Platform) -> None:
    seed(platform.control, orders=50)
    for name in ("orders", "positions"):
        await platform.replay(name).rebuild()

    async def go_on() -> None:
        for number in range(50, 80):
            seed(platform.control, orders=1, first=number, mirror=True)
            await platform.carry()

    going_on = asyncio.create_task(go_on())
    rounds = 0
    while not going_on.done():
        proofs = [proof for name in ("orders", "positions") for proof in await platform.replay(name).prove()]
        assert all(proof.equal for proof in proofs), [proof for proof in proofs if not proof.equal]
        rounds += 1
    await going_on
    assert rounds


async def test_log_of_the_first_version_gives_the_rows_that_were_written_then(control: ControlStore) -> None:
    for line in (KEPT / "log_of_version_1.jsonl").read_bytes().splitlines():
        old = orjson.loads(line)
        event = NewEvent(old["type"], old["ts_ns"], old["payload"])
        control.append(old["stream"], [event], expected_seq=old["seq"] - 1)
    written = [load_row(line) for line in (KEPT / "rows_of_version_1.jsonl").read_text(encoding="utf-8").splitlines()]
    registry, rows = EventRegistry.installed(), []
    for name, projection in installed(load_config(environ={})).items():
        if name != "events":
            for category in projection.categories:
                streams: dict[str, list[StoredEvent]] = {}
                for stored in control.category(category, control.log_end()):
                    streams.setdefault(stored.stream, []).append(stored)
                for stream in streams.values():
                    rows += projection.fold(registry.read(stored) for stored in stream)
    known = {table: {name for row in written if row.table == table for name in row.columns} for table in PROVED}
    then = [
        replace(row, columns={name: cell for name, cell in row.columns.items() if name in known[row.table]})
        for row in rows
    ]
    assert sorted(map(shown_row, then)) == sorted(map(shown_row, written))


def test_command_proves_names_what_differs_and_rebuilds(
    own_questdb: DatabaseConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prepare(*statements: str) -> None:
        async with await Database.connect(own_questdb) as database:
            for statement in statements:
                await database.execute(statement)
            await database.wait_applied(PROVED)

    for name in ("http_port", "pg_port", "health_port"):
        monkeypatch.setenv(f"ARES_DATABASE__{name.upper()}", str(getattr(own_questdb, name)))
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path))
    control = ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")
    seed(control, orders=3)
    control.advance("questdb_events", control.log_end())
    control.close()
    asyncio.run(prepare(*(f"TRUNCATE TABLE {table}" for table in PROVED)))
    run = CliRunner()
    different = run.invoke(app, ["replay", "orders"])
    assert different.exit_code == 1
    assert "order_events: the table lacks it: " in different.output
    assert "not what the log says" in str(different.exception)
    rebuilt = run.invoke(app, ["replay", "--rebuild", "--json"])
    assert rebuilt.exit_code == 0, rebuilt.output
    assert {row["verdict"] for row in orjson.loads(rebuilt.stdout)} == {"equal"}
    asyncio.run(prepare("UPDATE order_events SET state = 'REJECTED' WHERE seq = 3"))
    assert run.invoke(app, ["replay", "orders"]).exit_code == 1


async def test_many_events_are_rebuilt_and_proved_in_bounded_memory(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make replay-proof` runs it with a million."""
    seed(platform.control, orders=EVENTS_COUNT // 5)
    platform.control.advance("questdb_events", platform.control.log_end())
    process = psutil.Process()
    before = peak = process.memory_info().rss
    events, began = platform.control.log_end(), time.perf_counter()
    names = list(installed(load_config(environ={})))

    def look(_: int) -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)

    for name in names:
        replay = platform.replay(name)
        replay._parts = replace(replay._parts, progress=look)
        await replay.rebuild()
    rebuilt_s, began = time.perf_counter() - began, time.perf_counter()
    proofs = await platform.prove()
    proved_s = time.perf_counter() - began
    look(0)
    assert all(proof.equal for proof in proofs.values()), [p for p in proofs.values() if not p.equal]
    assert proofs["events"].rows_live == events
    assert peak - before < 400 * 2**20
    rows = sum(proof.rows_live for proof in proofs.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\n{events} events: {rows} rows of {len(proofs)} tables rebuilt in {rebuilt_s:.1f} s"
            f" ({events / rebuilt_s:.0f} events/s), proved equal in {proved_s:.1f} s"
            f" ({events / proved_s:.0f} events/s), memory grew by {(peak - before) / 2**20:.0f} MiB\n"
        )


def seed(control: ControlStore, *, orders: int, first: int = 0, mirror: bool = False) -> None:
    """Orders that were filled, as a trader logs them: intended, submitted, filled, booked, settled."""
    log: list[tuple[str, int, NewEvent]] = []
    if first == 0:
        log.append(("fills/paper", 1, OPENED.new(BookOpened("sim", ()), START_NS)))
    for number in range(first, first + orders):
        log += _order(number)
    if mirror:
        _append(control, log)
        return
    with control.transaction() as connection:
        for begin in range(0, len(log), 10_000):
            rows = [
                {
                    "stream": stream,
                    "seq": seq,
                    "type": event.type,
                    "version": event.version,
                    "ts_ns": event.ts_ns,
                    "payload": orjson.dumps(event.payload).decode(),
                    "correlation_id": event.correlation_id,
                    "causation_id": "",
                    "attributes": "{}",
                }
                for stream, seq, event in log[begin : begin + 10_000]
            ]
            connection.execute(insert(EVENTS), rows)


def _append(control: ControlStore, log: list[tuple[str, int, NewEvent]]) -> None:
    """As the trader does it: an event and its rows in one transaction."""
    projections = installed(load_config(environ={}))
    registry = EventRegistry.installed()
    for stream, seq, event in log:
        name = {"order": "orders", "fills": "positions"}.get(stream.partition("/")[0])
        rows: list[Row] = []
        if name is not None:
            past = [
                *control.read(stream),
                StoredEvent(0, stream, seq, event.type, event.version, event.ts_ns, event.payload),
            ]
            written = {"orders": 1, "positions": 2}[name]
            rows = list(projections[name].fold(registry.read(each) for each in past))[-written:]
        control.append(stream, [event], expected_seq=seq - 1, mirror=rows)


def _order(number: int) -> Iterator[tuple[str, int, NewEvent]]:
    ts_ns, order_id = START_NS + number * 10_000_000_000, f"ares{number:032d}"
    side = "buy" if number % 2 == 0 else "sell"
    intent = replace(
        INTENDED.example.intent, order_id=order_id, side=side, decided_at_ns=ts_ns, correlation_id=f"c{number}"
    )
    stream = f"order/paper/{order_id}"
    yield stream, 1, INTENDED.new(OrderIntended(intent), ts_ns)
    yield stream, 2, STEPPED["submitted"].new(STEPPED["submitted"].example, ts_ns + 1_000_000)
    yield stream, 3, STEPPED["filled"].new(STEPPED["filled"].example, ts_ns + 2_000_000)
    example = FILLED.example.fill
    execution = replace(example.execution, fill_id=str(number), side=side, ts_ns=ts_ns + 1_500_000)
    fill = Fill(execution, order_id, example.strategy, intent.correlation_id, ts_ns + 1_700_000)
    yield "fills/paper", number + 2, FILLED.new(FillBooked(fill), fill.received_at_ns)
    yield "orders_settled/paper", number + 1, SETTLED.new(OrderSettled(order_id), ts_ns + 3_000_000)
