"""Goal: spans become rows, or reach a collector; and whatever becomes of them, the work goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from ares.clock import MINUTE_NS, SystemClock, to_datetime
from ares.commands.trace import app
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, MonitoringConfig
from ares.service import ServiceContext
from ares.service.tracing import tracing
from ares.store import Database
from ares.telemetry.tracing import observability, trace_id_of
from tests.conftest import free_port

MINUTE = 29_123_456


def context(database: DatabaseConfig, tmp_path: Path, otlp_url: str | None = None) -> ServiceContext:
    monitoring = MonitoringConfig(trace_share=1.0, otlp_url=otlp_url, otlp_timeout_s=0.5)
    environment = EnvironmentConfig(state_dir=tmp_path)
    return ServiceContext(
        AresConfig(database=database, monitoring=monitoring, environment=environment), SystemClock(), "trader@test"
    )


def spans_counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("ares_spans_total", {"outcome": outcome}) or 0.0


async def test_spans_are_rows_that_a_query_by_trace_finds(
    questdb_config: DatabaseConfig, database: Database, tmp_path: Path, venue: str
) -> None:
    trace_id = trace_id_of(venue, "BTC/USDT", MINUTE)
    with tracing("trader", context(questdb_config, tmp_path)):
        with observability.track("order.submit", trace_id, symbol="BTC/USDT"), observability.track("external.call"):
            pass
        with pytest.raises(RuntimeError), observability.track("fill.book", trace_id):
            raise RuntimeError("no secret in here")
    await database.wait_applied(["spans"])
    rows = await database.fetch("SELECT * FROM spans WHERE trace_id = %(id)s", {"id": trace_id})
    by_name = {str(row["name"]): row for row in rows}
    assert set(by_name) == {"order.submit", "external.call", "fill.book"}
    assert by_name["external.call"]["parent_id"] == by_name["order.submit"]["span_id"]
    assert by_name["fill.book"]["status"] == "RuntimeError"
    assert {row["service"] for row in rows} == {"trader"}
    assert json.loads(str(by_name["order.submit"]["attributes"])) == {"symbol": "BTC/USDT"}
    assert "no secret in here" not in str(rows)


def test_command_shows_the_way_of_a_tick(
    questdb_config: DatabaseConfig, tmp_path: Path, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SystemClock().now_ns()
    trace_id = trace_id_of(venue, "BTC/USDT", MINUTE)
    with tracing("ingest", context(questdb_config, tmp_path)):
        observability.record("ingest.batch", trace_id, now, now + 5_000_000, trades=7)
    for name in ("http_port", "pg_port", "health_port"):
        monkeypatch.setenv(f"ARES_DATABASE__{name.upper()}", str(getattr(questdb_config, name)))
    run = CliRunner()
    moment = to_datetime(MINUTE * MINUTE_NS + 7_000_000_000).strftime("%Y-%m-%dT%H:%M:%S")
    for _ in range(200):
        ran = run.invoke(app, ["tick", "BTC/USDT", moment, "--venue", venue], catch_exceptions=False)
        if "ingest.batch" in ran.stdout:
            break
    assert trace_id in ran.stdout
    assert "ingest.batch" in ran.stdout
    assert json.loads(run.invoke(app, ["show", trace_id, "--json"]).stdout.partition("]")[0] + "]")[0]["took_ms"] == 5.0
    assert "not 32 hex digits" in str(run.invoke(app, ["show", "x"]).exception)


class Collector(BaseHTTPRequestHandler):
    """Takes OTLP over HTTP, as a collector does."""

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, CollectorServer)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class CollectorServer(ThreadingHTTPServer):
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Collector)
        self.received: list[ExportTraceServiceRequest] = []


@contextmanager
def collector(status: int = 200) -> Iterator[CollectorServer]:
    with CollectorServer() as server:
        server.status = status
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_collector_gets_the_spans_with_service_and_trace(questdb_config: DatabaseConfig, tmp_path: Path) -> None:
    trace_id = trace_id_of("sim", "BTC/USDT", MINUTE)
    with collector() as there:
        url = f"http://127.0.0.1:{there.server_port}/v1/traces"
        with (
            tracing("trader", context(questdb_config, tmp_path, url)),
            observability.track("order.submit", trace_id),
        ):
            pass
        (resource,) = there.received[0].resource_spans
        facts = {each.key: each.value.string_value for each in resource.resource.attributes}
        (span,) = resource.scope_spans[0].spans
    assert (facts["service.name"], facts["service.instance.id"]) == ("trader", "trader@test")
    assert (span.name, span.trace_id.hex()) == ("order.submit", trace_id)


@pytest.mark.parametrize("where", ["away", "failing"])
def test_collector_that_does_not_take_them_costs_only_the_spans(
    questdb_config: DatabaseConfig, tmp_path: Path, where: str
) -> None:
    before = spans_counted("dropped")
    done = False
    with collector(status=400) as there:
        port = free_port() if where == "away" else there.server_port
        url = f"http://127.0.0.1:{port}/v1/traces"
        with (
            tracing("trader", context(questdb_config, tmp_path, url)),
            observability.track("order.submit", trace_id_of("sim", "BTC/USDT", MINUTE)),
        ):
            done = True
    assert done
    assert spans_counted("dropped") == before + 1


def test_database_that_is_away_costs_only_the_spans(tmp_path: Path, ports: list[int]) -> None:
    away = DatabaseConfig(http_port=ports[0], pg_port=ports[1], health_port=ports[2], write_timeout_s=0.5)
    before = spans_counted("dropped")
    trace_id = trace_id_of("sim", "BTC/USDT", MINUTE)
    with tracing("trader", context(away, tmp_path)), observability.track("order.submit", trace_id):
        pass
    assert spans_counted("dropped") == before + 1
