"""Goal: `docker compose --profile demo up` trades, shows nothing but its gateway, and heals whatever container dies."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg
import pytest
from psycopg.rows import dict_row

from ares.commands.demo_report import acked_not_stored
from ares.config.settings import DatabaseConfig
from ares.errors import StoreError
from ares.store import Database
from backup.restore.scratch import free_ports
from tests.engine import Demo, compose, contained, docker, running_demo
from tests.helpers import ROOT

pytestmark = pytest.mark.skipif(not contained(), reason="takes a Docker engine and our images: make test-containers")

HEALTHY_S_MAX = 400.0
TRADES_S_MAX = 600.0
RECOVERED_S_MAX = 60.0
"""From the death of all of a container's processes until its service is ready again."""
SERVICES = ("exchange", "questdb", "mirror", "ingest", "analytics", "trader", "api", "errands", "gateway")
ONCE = ("secrets", "migrate")
SYMBOLS = ("BTC/USDT", "ETH/USDT")
PASSWORD = token_urlsafe(16)
SECRETS = {
    "exchange": {"database", "venue"},
    "mirror": {"database"},
    "ingest": {"database"},
    "analytics": {"database"},
    "trader": {"database", "trader", "venue"},
    "api": {"access", "database", "trader"},
    "errands": {"database"},
    "gateway": {"gateway"},
    "questdb": {"questdb"},
}
"""Which groups of secrets a container holds."""


class Running:
    """The demo, and the ways into it that others have: by its gateway alone."""

    def __init__(self, demo: Demo, folder: Path) -> None:
        self.demo = demo
        self.authority = folder / "ca.pem"
        self.authority.write_text(demo.inside("gateway", "cat", "/run/secrets/gateway/ca.pem"), encoding="utf-8")
        self.password = demo.inside("mirror", "cat", "/run/secrets/database/readonly-password").strip()

    @property
    def database(self) -> DatabaseConfig:
        ports = self.demo.ports
        return DatabaseConfig.model_validate(
            {
                "mode": "remote", "host": "localhost", "http_port": ports["SQL_PORT"], "pg_port": ports["PG_PORT"],
                "tls": "verified", "tls_ca_file": self.authority, "readonly_password": self.password,
            }
        )  # fmt: skip

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Rows, read as psql would; nothing while the database is away."""
        conninfo = f"host=localhost port={self.demo.ports['PG_PORT']} user=user dbname=qdb connect_timeout=3"
        conninfo += f" sslmode=verify-full sslrootcert={self.authority}"
        try:
            with psycopg.connect(conninfo, password=self.password, autocommit=True, row_factory=dict_row) as connection:
                return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]
        except psycopg.Error:
            return []

    def count(self, table: str) -> int:
        found = self.sql(f"SELECT count() AS n FROM {table}")
        return int(found[0]["n"]) if found else 0

    def executed(self) -> int:
        """Executions of orders that a decision led to: coins that were there at the start are fills, too."""
        found = self.sql("SELECT count() AS n FROM fills f JOIN decisions d ON f.order_id = d.client_order_id")
        return int(found[0]["n"]) if found else 0

    def api(self, path: str, token: str = "", body: object = None) -> Any:
        """An answer of the API, through TLS."""
        url = f"https://localhost:{self.demo.ports['PORT']}/api/v1{path}"
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        asked = Request(url, json.dumps(body).encode() if body is not None else None, headers)
        context = ssl.create_default_context(cafile=self.authority)
        with urlopen(asked, timeout=10, context=context) as answer:
            return json.load(answer)

    def exchange(self, path: str) -> Any:
        """The exchange's own record, which it tells to callers in its own container alone."""
        program = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8900{path}').read().decode())"
        return json.loads(self.demo.inside("exchange", "python", "-c", program))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    docker()
    ports = dict(zip(("PORT", "SQL_PORT", "PG_PORT"), free_ports(3), strict=True))
    with running_demo(ports) as demo:
        began = time.monotonic()
        words = ("up", "--detach", "--wait", f"--wait-timeout={round(HEALTHY_S_MAX)}")
        demo.ask(*words, seconds=HEALTHY_S_MAX + 30)
        told(f"all healthy after {time.monotonic() - began:.1f} s")
        yield Running(demo, tmp_path_factory.mktemp("demo"))


def told(line: str) -> None:
    sys.stdout.write(f"\n{line}\n")


@pytest.mark.parametrize("profiles", ["demo", "ops", "demo scale"])
def test_compose_understands_every_profile(profiles: str) -> None:
    words = [word for name in profiles.split() for word in ("--profile", name)]
    done = subprocess.run(
        [*compose(), *words, "config", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_service_is_ready_and_what_runs_once_has_ended(running: Running) -> None:
    states = running.demo.states()
    assert set(states) == {*SERVICES, *ONCE}
    assert all(running.demo.healthy(service) for service in SERVICES)
    assert {states[service]["State"]["ExitCode"] for service in ONCE} == {0}


def test_it_trades_by_signals_of_both_strategies(running: Running) -> None:
    waited_s = running.demo.until("an executed order", running.executed, TRADES_S_MAX)
    told(f"first executed order after {waited_s:.0f} s more: {counted(running)}")

    def both() -> bool:
        found = {row["strategy"] for row in running.sql("SELECT DISTINCT strategy FROM signal_values")}
        return found >= {"signal_momentum", "signal_direction"}

    told(f"signals of the model after {running.demo.until('signals of the model', both, TRADES_S_MAX):.0f} s more")


def counted(running: Running) -> dict[str, int]:
    return {table: running.count(table) for table in ("trades", "quotes", "decisions")} | {"fills": running.executed()}


def test_nothing_is_published_but_the_gateway_and_that_on_loopback(running: Running) -> None:
    published = {}
    for service, state in running.demo.states().items():
        bindings = [each for some in state["NetworkSettings"]["Ports"].values() for each in some or ()]
        if bindings:
            published[service] = {each["HostIp"] for each in bindings}
    assert published == {"gateway": {"127.0.0.1"}}


def test_every_container_is_confined_by_the_engine(running: Running) -> None:
    for service, state in running.demo.states().items():
        host = state["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert min(host["Memory"], host["NanoCpus"], host["PidsLimit"]) > 0, service
        assert state["Config"]["User"] == "10001:10001"
    for service in SERVICES:
        refused = running.demo.inside(service, "bash", "-c", "touch /opt/x 2>&1 || true; touch /app/x 2>&1 || true")
        assert refused.count("Read-only file system") >= 1, service


def test_a_container_holds_its_own_secrets_and_no_environment_holds_one(running: Running) -> None:
    listing = "cd /run/secrets; for file in */*; do echo ${file%/*}; done"
    held = {name: set(running.demo.inside(name, "bash", "-c", listing).split()) - {"*"} for name in SERVICES}
    assert held == SECRETS
    words = [running.demo.inside("trader", "bash", "-c", "cat /run/secrets/*/*").split(), [running.password]]
    environments = json.dumps([state["Config"] for state in running.demo.states().values()])
    assert not [word for each in words for word in each if word in environments]
    assert len({word for each in words for word in each}) >= 5, "random, each another one"


def test_no_container_reaches_the_internet_but_the_gateway(running: Running) -> None:
    program = "import socket; socket.create_connection(('1.1.1.1', 443), 3)"
    for service in ("ingest", "trader", "api"):
        with pytest.raises(AssertionError, match=r"unreachable|timed out"):
            running.demo.inside(service, "python", "-c", program)


def test_the_door_lets_nobody_in_without_a_password_and_then_shows_what_was_traded(running: Running) -> None:
    with pytest.raises(HTTPError, match="401"):
        running.api("/fills")
    running.demo.inside("api", "ares", "user", "add", "maria", "--role", "trader", given=f"{PASSWORD}\n")
    token = running.api("/auth/login", body={"user": "maria", "password": PASSWORD})["access_token"]
    fills = running.api("/fills", token)["data"]
    assert fills
    with urlopen(
        f"https://localhost:{running.demo.ports['PORT']}/console/login",
        timeout=10,
        context=ssl.create_default_context(cafile=running.authority),
    ) as page:
        assert page.status == 200


def test_the_trader_obeys_a_command_from_another_container(running: Running) -> None:
    running.demo.inside("api", "ares", "trader", "halt", "--reason", "a drill")
    assert "HALTED" in running.demo.inside("api", "ares", "trader", "status")
    running.demo.inside("api", "ares", "trader", "resume", "--reason", "it is over")
    running.demo.until("active", lambda: "ACTIVE" in running.demo.inside("api", "ares", "trader", "status"), 30)


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_that_dies_is_brought_back_in_time(running: Running, service: str) -> None:
    demo = running.demo
    before = demo.crash(service)

    def back() -> bool:
        state = demo.states()[service]
        return int(state["RestartCount"]) > before and demo.healthy(service)

    told(f"{service}: ready {demo.until(service, back, RECOVERED_S_MAX):.1f} s after its death")
    demo.until("all of them", lambda: all(demo.healthy(each) for each in SERVICES), RECOVERED_S_MAX)


def test_a_container_that_somebody_killed_is_brought_back_by_the_same_command(running: Running) -> None:
    demo = running.demo
    demo.ask("kill", "trader")
    began = time.monotonic()
    demo.ask("up", "--detach", "--wait", "--no-recreate", seconds=120)
    assert demo.healthy("trader")
    told(f"trader: ready {time.monotonic() - began:.1f} s after `up`, which followed `docker kill`")


def test_it_trades_on_after_all_of_them_died(running: Running) -> None:
    before = counted(running)
    for table in before:
        running.demo.until(f"more {table}", lambda t=table: counted(running)[t] > before[t], TRADES_S_MAX)  # type: ignore[misc]
    told(f"from {before} to {counted(running)}")


def test_no_order_was_sent_twice_and_the_book_is_the_exchanges(running: Running) -> None:
    book = running.exchange("/sim/orders")
    ids = [order["clientOrderId"] for order in book["orders"]]
    assert ids
    assert len(ids) == len(set(ids))
    assert set(book["submissions"].values()) <= {1}

    def agree() -> bool:
        orders = running.exchange("/sim/orders")["orders"]
        there = {each["clientOrderId"]: Decimal(each["executedQty"]) for each in orders if Decimal(each["executedQty"])}
        rows = running.sql("SELECT order_id, sum(quantity) AS quantity FROM fills GROUP BY order_id")
        here = {row["order_id"]: Decimal(row["quantity"]) for row in rows if row["order_id"] in set(ids) | set(there)}
        return bool(there) and there == here

    waited_s = running.demo.until("fills as at the exchange", agree, 60)
    told(f"{len(ids)} orders at the exchange, each once; fills agree after {waited_s:.1f} s")


def test_no_tick_is_missing_without_being_admitted(running: Running) -> None:
    async def missing() -> int:
        try:
            async with await Database.connect(running.database, readonly=True) as database:
                return await acked_not_stored(database)
        except StoreError:
            return -1

    running.demo.until("every acknowledged tick", lambda: asyncio.run(missing()) == 0, 60)
    for symbol in SYMBOLS:
        last = int(running.exchange(f"/sim/issued?symbol={symbol.replace('/', '')}")["last"])
        running.demo.until(f"all ticks of {symbol}", lambda s=symbol, n=last: complete(running, s, n), 90)  # type: ignore[misc]
    gaps = running.sql(
        "SELECT channel, status, count() AS n FROM (SELECT channel, status FROM gaps LATEST ON ts PARTITION BY gap_id)"
    )
    told(f"gaps by how they ended: { {(row['channel'], row['status']): row['n'] for row in gaps} }")
    assert {row["status"] for row in gaps if row["channel"] == "trades"} <= {"healed"}


def complete(running: Running, symbol: str, issued: int) -> bool:
    """Whether stored ids and those of gaps that say so are all that the exchange issued."""
    stored = running.sql(
        "SELECT count_distinct(seq) AS n, min(seq) AS first_seq FROM trades "
        f"WHERE symbol = '{symbol}' AND seq <= {issued}"
    )
    admitted = running.sql(
        "SELECT sum(missing) AS n FROM (SELECT gap_id, status, missing, last_seq FROM gaps "
        f"WHERE symbol = '{symbol}' AND channel = 'trades' LATEST ON ts PARTITION BY gap_id) "
        f"WHERE status != 'healed' AND last_seq <= {issued}"
    )
    if not stored or not admitted:
        return False
    return int(stored[0]["n"]) + int(admitted[0]["n"] or 0) == issued - int(stored[0]["first_seq"]) + 1


def test_what_was_made_survives_all_containers_being_made_anew(running: Running) -> None:
    demo, before = running.demo, counted(running)
    demo.ask("down", "--timeout=30", seconds=180)
    demo.ask("up", "--detach", "--wait", f"--wait-timeout={round(HEALTHY_S_MAX)}", seconds=HEALTHY_S_MAX + 30)
    assert demo.inside("mirror", "cat", "/run/secrets/database/readonly-password").strip() == running.password
    demo.until("the same rows", lambda: all(counted(running)[each] >= n for each, n in before.items()), 60)


def test_questdb_without_its_volume_writable_says_so(tmp_path: Path) -> None:
    """A folder that belongs to somebody else is an error with words, not a database without data."""
    tmp_path.chmod(0o555)
    words = [
        "run",
        "--rm",
        "--user=10001:10001",
        "--read-only",
        "--tmpfs=/tmp:exec",
        f"--volume={tmp_path}:/var/lib/questdb",
    ]
    done = subprocess.run(
        [docker(), *words, "ares-questdb:dev"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "/var/lib/questdb" in done.stdout + done.stderr
