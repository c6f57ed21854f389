"""Goal: what was made from what is recorded by those who make it, and can be asked up and down, on a real QuestDB."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics.lineage import scored_made
from analytics.services import ANALYTICS
from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.commands.lineage import impact_app, lineage_app
from ares.config import load_config
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore
from ares.errors import UnknownName, UsageError
from ares.model.lineage import Made, Node, rows_of
from ares.model.row import Row, UtcNs
from ares.service.lineage import note, recorded
from ares.service.types import ServiceContext
from ares.store import Database, RowWriter, migrate
from ares.store.lineage import read_graph
from ares.store.migrate import Statement
from ingest.services import INGEST
from tests.helpers import ROOT, eventually, settings_file
from trader.services import TRADER


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue)))
    return CliRunner()


async def edges(cli: CliRunner, *words: str) -> set[tuple[str, str]]:
    result = await asyncio.to_thread(cli.invoke, lineage_app, [*words, "--json"], catch_exceptions=False)
    return {(f"{e['from_kind']} {e['from']}", f"{e['to_kind']} {e['to']}") for e in json.loads(result.stdout)}


async def keep(writer: RowWriter, database: Database, made: list[Made], job: str = "train") -> None:
    await writer.write(rows_of(job, "run", SystemClock().now_ns(), made))
    await database.wait_applied(["lineage"])


async def test_migration_says_what_every_view_reads(cli: CliRunner, database: Database) -> None:
    await database.wait_applied(["lineage"])
    up = await edges(cli, "UP", "rsi_14_v1")
    assert {
        ("view bars_1m_checked", "feature rsi_14_v1"),
        ("view bars_1m", "view bars_1m_checked"),
        ("table gaps", "view bars_1m_checked"),
        ("table trades", "view bars_1m"),
    } <= up
    assert ("signal signal_momentum_v1", "signal signal_momentum") in await edges(cli, "DOWN", "trades")


async def test_services_say_once_a_start_what_they_make(cli: CliRunner, venue: str, control: ControlStore) -> None:
    context = ServiceContext(load_config(), SystemClock(), "one")
    for spec in (INGEST, ANALYTICS, TRADER):
        await note(context, spec.name, spec.makes(context.config))
    rows = [each.row for each in control.outbox(0, 10_000)]
    said = {(row.columns["from_name"], row.columns["to_name"]) for row in rows}
    assert {(venue, "trades"), ("rsi_14_v1", "feature_values"), ("signal_direction_v1", "order_events")} <= said
    assert {row.symbols["job"] for row in rows} == {"ingest", "analytics", "trader"}


async def test_service_says_it_beside_its_work(cli: CliRunner, control: ControlStore) -> None:
    async with recorded(TRADER, ServiceContext(load_config(), SystemClock(), "one")):
        await eventually(lambda: control.outbox(0, 1))


async def test_from_a_table_to_the_orders_and_back(
    cli: CliRunner, writer: RowWriter, database: Database, venue: str, control: ControlStore
) -> None:
    context = ServiceContext(load_config(), SystemClock(), "one")
    for spec in (INGEST, ANALYTICS, TRADER):
        await note(context, spec.name, spec.makes(context.config))
    await writer.write([each.row for each in control.outbox(0, 10_000)])
    model, dataset = f"m_{venue}", Node("dataset", f"d_{venue}@1")
    trained = Made(Node("model", f"{model}@v1"), (dataset, Node("feature", "rsi_14_v1")))
    made = [Made(dataset, (Node("view", "features_asof"),)), trained, *scored_made(model, "v1", ["rsi_14_v1"])]
    await keep(writer, database, made)
    up = await edges(cli, "UP", "order/signal_direction_v1")
    chain = (
        (f"venue {venue}", "table trades"),
        ("table trades", "view bars_1m"),
        ("feature rsi_14_v1", "table feature_values"),
        ("table feature_values", "view features_asof"),
        ("view features_asof", f"dataset d_{venue}@1"),
        (f"dataset d_{venue}@1", f"model {model}@v1"),
        (f"model {model}@v1", f"prediction {model}@v1"),
        (f"prediction {model}@v1", "table predictions"),
        ("table predictions", "signal signal_direction_v1"),
        ("signal signal_direction_v1", "decision signal_direction_v1"),
        ("decision signal_direction_v1", "order signal_direction_v1"),
    )
    assert set(chain) <= up
    assert set(chain) <= await edges(cli, "DOWN", f"venue/{venue}")


async def test_one_order_leads_back_to_its_model_and_to_the_data_that_it_learnt_from(
    cli: CliRunner, writer: RowWriter, database: Database, venue: str, tmp_path: Path
) -> None:
    now_ns = SystemClock().now_ns() // NANOS_PER_SECOND * NANOS_PER_SECOND + 123
    order, cycle, known = f"o-{venue}", f"c-{venue}", UtcNs(now_ns + 1_000)
    about = {"venue": venue, "symbol": "BTC/USDT"}
    traded = {**about, "account": venue, "strategy": "signal_direction"}
    ids = {"correlation_id": f"w-{venue}", "cycle_id": cycle}
    signal = {"version": 1, "revision": 0, "target": 1.0, "confidence": 1.0, "known_at": known, "input_hash": "f00d"}
    decision = {"version": 1, "signal_ts": UtcNs(now_ns), "signal_known_at": known, "client_order_id": order}
    await writer.write(
        [
            Row("predictions", now_ns, {**about, "model": "direction", "version": f"v{venue}"}, {"score": 0.7}),
            Row(
                "signal_values",
                now_ns,
                {**about, "strategy": "signal_direction", "model_version": f"v{venue}"},
                signal,
            ),
            Row("decisions", now_ns + 2_000, {**traded, "action": "buy"}, {**ids, **decision}),
            Row("order_events", now_ns + 3_000, traded, {**ids, "order_id": order, "seq": 1}),
            Row(
                "fills",
                now_ns + 4_000,
                traded,
                {"fill_id": f"f-{venue}", "order_id": order, "quantity": Decimal(1), "price": Decimal(9)},
            ),
        ]
    )
    await database.wait_applied(["predictions", "signal_values", "decisions", "order_events", "fills"])
    model = Node("model", f"direction@v{venue}")
    dataset = Node("dataset", f"d_{venue}@1")
    await keep(writer, database, [Made(model, (dataset,)), Made(dataset, (Node("view", "features_asof"),))])
    drawing = tmp_path / "order.svg"
    result = await asyncio.to_thread(
        cli.invoke, lineage_app, ["UP", order, "--svg", str(drawing)], catch_exceptions=False
    )
    words = [line.split(" (")[0].strip(" │├└─") for line in result.stdout.splitlines()]
    head = [f"order {order}", f"decision {cycle}/signal_direction/BTC/USDT"]
    assert words[:2] == head
    assert words[2].startswith("signal signal_direction_v1 BTC/USDT 20")
    assert "revision 0, input f00d" in result.stdout
    assert words[3].startswith(f"prediction direction@v{venue} BTC/USDT 20")
    assert words[4:7] == [str(model), str(dataset), "view features_asof"]
    assert f"<title>{model}</title>" in drawing.read_text()
    down = await edges(cli, "DOWN", order)
    assert down == {(f"order {order}", f"fill f-{venue}")}


async def test_change_of_a_view_touches_the_views_that_read_it(cli: CliRunner, database: Database) -> None:
    await database.wait_applied(["lineage"])
    result = await asyncio.to_thread(cli.invoke, impact_app, ["bars_1m_checked", "--json"], catch_exceptions=False)
    touched = {(row["kind"], row["name"]) for row in json.loads(result.stdout)}
    assert {("feature", "rsi_14_v1"), ("signal", "signal_momentum_v1"), ("signal", "signal_momentum")} <= touched


async def test_unknown_name_is_told_with_names_that_are_known(cli: CliRunner, database: Database) -> None:
    await database.wait_applied(["lineage"])
    for app, words in ((lineage_app, ["UP", "no_such_thing"]), (impact_app, ["no_such_thing"])):
        with pytest.raises(UnknownName, match="bars_1m"):
            await asyncio.to_thread(cli.invoke, app, words, catch_exceptions=False)


def release(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    sql = f"CREATE OR REPLACE VIEW {name} AS (\n{text}\n);"
    statement = Statement(name, "VIEW", sql, "", f"{name}.sql", "features")
    monkeypatch.setattr("ares.store.migrate.view_statements", lambda: [statement])


async def test_view_that_models_rest_on_changes_its_meaning_only_by_name(
    monkeypatch: pytest.MonkeyPatch, cli: CliRunner, writer: RowWriter, database: Database, venue: str
) -> None:
    view = f"{venue}_v1"
    try:
        release(monkeypatch, view, "SELECT ts, price FROM trades")
        applied = await migrate.migrate(database, writer, SystemClock())
        assert [made.to for made in applied.made] == [Node("feature", view)]
        release(monkeypatch, view, "SELECT ts, price * 2 AS price FROM trades")
        assert (await migrate.migrate(database, writer, SystemClock())).views == (view,)
        model = Node("model", f"m@{view}")
        await keep(writer, database, [Made(model, (Node("feature", view),))])
        release(monkeypatch, view, "-- the same\nSELECT ts, price * 2 AS price\nFROM trades")
        assert (await migrate.migrate(database, writer, SystemClock())).views == (view,)
        release(monkeypatch, view, "SELECT ts, price * 2 AS price FROM trades WHERE side = 'buy'")
        with pytest.raises(UsageError, match="rest on it"):  # the old text and more is another meaning
            await migrate.migrate(database, writer, SystemClock())
        release(monkeypatch, view, "SELECT ts, amount AS price FROM trades_archive")
        with pytest.raises(UsageError, match=f"model m@{view} rest on it") as refused:
            await migrate.migrate(database, writer, SystemClock())
        assert f"--changed {view}" in str(refused.value)
        rows = await asyncio.to_thread(cli.invoke, impact_app, [view, "--json"], catch_exceptions=False)
        assert [(r["kind"], r["name"]) for r in json.loads(rows.stdout)] == [("model", f"m@{view}")]
        assert (await migrate.migrate(database, writer, SystemClock(), [view])).views == (view,)
        await database.wait_applied(["lineage"])
        graph = await read_graph(database)
        assert list(graph.next_to(Node("feature", view), "UP")) == [Node("table", "trades_archive")]
    finally:
        await database.execute(f"DROP VIEW IF EXISTS {view}")


@pytest.mark.parametrize("guide", ["datasets", "lineage"])
async def test_queries_of_the_guide_are_answered(guide: str, database: Database) -> None:
    text = (ROOT / "docs" / "guides" / "analyst" / f"{guide}.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n(.*?);\n```", text, re.DOTALL)
    assert queries
    for query in queries:
        await database.fetch(query)
