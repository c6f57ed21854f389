"""Goal: OpenLineage's own client reads our events as events, and makes the same of them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import orjson
import pytest
from aiohttp import web
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    dataset_version_dataset,
    datasource_dataset,
    documentation_dataset,
    schema_dataset,
)
from openlineage.client.serde import Serde
from pydantic import SecretStr

from ares.clock import SystemClock
from ares.config.lineage import LineageConfig
from ares.control import ControlStore
from ares.control.types import Json
from ares.model.lineage import Made, Node
from ares.service.lineage import record
from ares.service.openlineage import PRODUCER, run_event
from ares.telemetry import metrics

TS_NS = 1_795_464_293_123_456_789
RUN = "0e8b2a52-3f7c-4f0e-9a52-7d3c1b2a9f10"
MADE = [
    Made(
        Node("dataset", "direction@3"),
        (Node("feature", "rsi_14_v1"), Node("table", "bar_facts")),
        "72 h",
        (("ts", "TIMESTAMP_NS"), ("rsi_14_v1", "DOUBLE")),
    )
]


def in_their_words() -> dict[str, Json]:
    """The same event, built by OpenLineage's own classes."""

    def of(kind: str) -> datasource_dataset.DatasourceDatasetFacet:
        return datasource_dataset.DatasourceDatasetFacet(name=kind, uri=f"ares:{kind}", producer=PRODUCER)

    fields = [
        schema_dataset.SchemaDatasetFacetFields(name="ts", type="TIMESTAMP_NS"),
        schema_dataset.SchemaDatasetFacetFields(name="rsi_14_v1", type="DOUBLE"),
    ]
    facets: dict[str, DatasetFacet] = {
        "dataSource": of("dataset"),
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion="3", producer=PRODUCER),
        "schema": schema_dataset.SchemaDatasetFacet(fields=fields, producer=PRODUCER),
        "documentation": documentation_dataset.DocumentationDatasetFacet(description="72 h", producer=PRODUCER),
    }
    event = RunEvent(
        eventType=RunState.COMPLETE,
        eventTime="2026-11-23T20:04:53.123456Z",
        producer=PRODUCER,
        run=Run(runId=RUN),
        job=Job(namespace="ares", name="dataset"),
        inputs=[
            InputDataset(namespace="ares", name="feature.rsi_14_v1", facets={"dataSource": of("feature")}),
            InputDataset(namespace="ares", name="table.bar_facts", facets={"dataSource": of("table")}),
        ],
        outputs=[OutputDataset(namespace="ares", name="dataset.direction", facets=facets)],
    )
    return cast("dict[str, Json]", orjson.loads(Serde.to_json(event)))


def without_the_empty(value: Json) -> Json:
    """Their client writes fields out that hold nothing; ours leaves them away."""
    if isinstance(value, dict):
        return {k: without_the_empty(v) for k, v in value.items() if v not in ({}, [], None)}
    return [without_the_empty(each) for each in value] if isinstance(value, list) else value


def test_event_is_what_their_own_client_makes_of_the_same_run() -> None:
    ours = run_event("ares", "dataset", RUN, TS_NS, MADE)
    assert without_the_empty(dict(ours)) == without_the_empty(in_their_words())


def test_run_with_a_name_of_ours_always_becomes_the_same_uuid() -> None:
    first, second = (run_event("ares", "train", "direction-20260301T120000.123", ts, MADE)["run"] for ts in (1, 2))
    assert first == second


async def test_events_are_posted_and_lines_are_appended(control: ControlStore, tmp_path: Path) -> None:
    taken: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        taken.append(await request.read())
        assert request.headers["Authorization"] == "Bearer of-a-catalogue"
        return web.Response(status=201)

    app = web.Application()
    app.router.add_post("/api/v1/lineage", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        url = f"http://127.0.0.1:{port}/api/v1/lineage"
        over_http = LineageConfig(openlineage_url=url, openlineage_token=SecretStr("of-a-catalogue"))
        await record(control, over_http, "dataset", (RUN, TS_NS), MADE, clock=SystemClock())
    finally:
        await runner.cleanup()
    file = tmp_path / "events" / "lineage.jsonl"
    to_file = LineageConfig(openlineage_url=f"file:{file}")
    await record(control, to_file, "dataset", (RUN, TS_NS), MADE, clock=SystemClock())
    expected = run_event("ares", "dataset", RUN, TS_NS, MADE)
    assert [orjson.loads(body) for body in (*taken, *file.read_bytes().splitlines())] == [expected, expected]


@pytest.mark.parametrize(("answers", "taken"), [([503, 201], 2), ([400, 201], 1)])
async def test_catalogue_that_fails_is_asked_once_more_and_one_that_refuses_is_not(
    control: ControlStore, answers: list[int], taken: int
) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=answers[len(asked) - 1])

    app = web.Application()
    app.router.add_post("/api/v1/lineage", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1/lineage"
        settings = LineageConfig(openlineage_url=url)
        await record(control, settings, "dataset", (RUN, TS_NS), MADE, clock=SystemClock())
    finally:
        await runner.cleanup()
    assert len(asked) == taken


async def test_catalogue_that_is_away_is_soon_not_waited_for(control: ControlStore, port: int) -> None:
    away = LineageConfig(openlineage_url=f"http://127.0.0.1:{port}/api/v1/lineage", openlineage_timeout_s=1)
    calls = metrics.EXTERNAL_CALLS.labels("openlineage 127.0.0.1", "lineage_event", "refused")
    before = calls._value.get()
    for _ in range(4):
        await record(control, away, "dataset", (RUN, TS_NS), MADE, clock=SystemClock())
    assert calls._value.get() > before


async def test_rows_are_kept_though_nobody_takes_the_event(control: ControlStore, port: int) -> None:
    away = LineageConfig(openlineage_url=f"http://127.0.0.1:{port}/api/v1/lineage", openlineage_timeout_s=1)
    await record(control, away, "dataset", (RUN, TS_NS), MADE, clock=SystemClock())
    rows = [each.row for each in control.outbox(0, 10)]
    assert [row.columns["from_name"] for row in rows] == ["rsi_14_v1", "bar_facts"]


def test_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="openlineage_url"):
        LineageConfig(openlineage_url="ftp://catalogue")
