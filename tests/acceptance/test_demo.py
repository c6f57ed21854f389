"""Goal: the whole platform keeps its promises while each of its processes is killed once. Run as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest
from psycopg.rows import dict_row

from ares.store.server import STOP_S_MAX
from backup.restore.scratch import free_ports
from tests.conftest import free_port
from tests.helpers import typed
from tests.vaultd import running_vault, vaultd_built

ROOT = Path(__file__).resolve().parents[2]
RELOADS = int(os.environ.get("ARES_TEST_RELOADS", "20"))
DRAINS = int(os.environ.get("ARES_TEST_DRAINS", "4"))
DURATION_S = 900 + RELOADS + 10 * DRAINS
"""A bound: it is interrupted, as by Ctrl-C, once it did all that the report is asked for."""
DRAIN_S_MAX = 10.0
DRAIN_S_MAX_OF = {"questdb": STOP_S_MAX}
"""QuestDB ends what its workers are at first, and beside other work a refresh of views takes longer."""
SERVICES = ("ingest", "analytics", "mirror", "trader", "exchange", "questdb")
REPORT_KEYS = {
    *("trades_stored", "quotes_stored", "books_stored", "gaps_open", "quarantined", "bars_1m", "features", "signals"),
    *("decisions", "refusals", "orders", "fills", "pnl_quote", "model", "latency_ms", "acked_not_stored"),
    "processes_left",
}


@dataclass
class RunningDemo:
    """A demo in a process of its own, on ports and in a directory of its own."""

    process: subprocess.Popen[str]
    state_dir: Path
    report: Path
    settings: Path
    environment: dict[str, str]
    pg_port: int
    http_port: int
    exchange_port: int
    canaries: dict[str, str]
    said: list[str]
    """What commands and doors answered; searched for canaries at the end."""

    def ares(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Type a command of this demo's installation; whatever it says is kept."""
        return self.kept(typed(*arguments, **self.environment | environment))

    def started(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Type a command that is a service: it runs in a process of its own."""
        command = [sys.executable, "-m", "ares.cli", *arguments]
        environment = self.environment | environment
        return self.kept(
            subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
        )

    def kept(self, ran: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
        self.said.append(ran.stdout + ran.stderr)
        return ran

    def pid(self, service: str) -> int | None:
        card = self.state_dir / "run" / f"{service}.json"
        try:
            pid = int(json.loads(card.read_text())["pid"])
        except (OSError, ValueError, KeyError):
            return None
        return pid if psutil.pid_exists(pid) else None

    def sql(self, query: str) -> list[dict[str, object]]:
        conninfo = f"host=127.0.0.1 port={self.pg_port} user=user dbname=qdb connect_timeout=3"
        password = self.canaries["readonly_password"]
        with psycopg.connect(conninfo, password=password, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    def exchange(self, path: str) -> object:
        with urlopen(f"http://127.0.0.1:{self.exchange_port}{path}", timeout=5) as answer:
            return json.load(answer)

    def until(self, what: str, condition: Callable[[], object], seconds: float) -> object:
        deadline = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the demo ended while waiting for {what}"
            try:
                last = condition()
            except (psycopg.Error, OSError) as error:
                last = error
            else:
                if last:
                    return last
            time.sleep(0.3)
        raise AssertionError(f"{what} not seen in {seconds} s; last: {last!r}; see {self.state_dir}/logs")


@pytest.fixture(scope="module")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Secrets by name that must be said nowhere, and variables that lead to them: in files, a variable, a Vault."""
    names = ("password", "readonly_password", "api_key", "api_secret")
    found = {name: f"canary-{name}-{uuid.uuid4().hex}" for name in names}
    folder = tmp_path_factory.mktemp("secrets")
    variables = {"CANARY_PASSWORD": found["readonly_password"]}
    for name in ("password", "api_key", "api_secret"):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(found[name] + "\n", encoding="utf-8")
    references = {name: f"file:{folder / name}" for name in names} | {"readonly_password": "env:CANARY_PASSWORD"}
    with contextlib.ExitStack() as stack:
        if vaultd_built():
            vault = stack.enter_context(running_vault(free_port()))
            vault.put("venues/sim", **found)
            role_id, secret_id = vault.approle()
            found["secret_id"] = secret_id
            variables |= {
                "ARES_SECRETS__VAULT_URL": vault.url,
                "ARES_SECRETS__VAULT_ROLE_ID": role_id,
                "ARES_SECRETS__VAULT_SECRET_ID": "env:CANARY_SECRET_ID",
                "CANARY_SECRET_ID": secret_id,
            }
            references["api_secret"] = "vault:venues/sim#api_secret"
        for section in ("VENUES__SIM", "SIMULATOR"):
            variables |= {f"ARES_{section}__{name.upper()}": references[name] for name in ("api_key", "api_secret")}
        for name in ("password", "readonly_password"):
            variables[f"ARES_DATABASE__{name.upper()}"] = references[name]
        yield found, variables


@pytest.fixture(scope="module")
def demo(
    tmp_path_factory: pytest.TempPathFactory, canaries: tuple[dict[str, str], dict[str, str]]
) -> Iterator[RunningDemo]:
    http, pg, health, exchange, control = free_ports(5)
    folder = tmp_path_factory.mktemp("demo")
    environment = {
        **os.environ,
        "ARES_ENVIRONMENT__STATE_DIR": str(folder / "var"),
        "ARES_DATABASE__HTTP_PORT": str(http),
        "ARES_DATABASE__PG_PORT": str(pg),
        "ARES_DATABASE__HEALTH_PORT": str(health),
        "ARES_SIMULATOR__PORT": str(exchange),
        "ARES_VENUES__SIM__REST_URL": f"http://127.0.0.1:{exchange}",
        "ARES_VENUES__SIM__WS_URL": f"ws://127.0.0.1:{exchange}",
        "ARES_TRADING__CONTROL_PORT": str(control),
        "ARES_MONITORING__PORT_BASE": "0",
        "ARES_MONITORING__TRACE_SHARE": "1.0",
        "ARES_CONFIG": str(folder / "own" / "mine.toml"),
        "ARES_INGEST__BACKFILL_TRADES_HOURS": "0.5",
        "ARES_INGEST__BACKFILL_BARS_HOURS": "24",
        **canaries[1],
    }
    settings = folder / "own" / "mine.toml"
    settings.parent.mkdir()
    settings.touch()
    report = folder / "out.json"
    with (folder / "demo.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ares.cli", "demo", "--duration", str(DURATION_S), "--report", str(report)],
            cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
    running = RunningDemo(process, folder / "var", report, settings, environment, pg, http, exchange, canaries[0], [])
    try:
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def test_ticks_become_signals_decisions_and_fills(demo: RunningDemo) -> None:
    demo.until("a streamed trade", lambda: demo.sql("SELECT seq FROM trades WHERE source = 'stream' LIMIT 1"), 90)
    demo.until("signals of both strategies", lambda: len(demo.sql("SELECT DISTINCT strategy FROM signals")) >= 2, 90)
    demo.until("a fill", lambda: demo.sql("SELECT fill_id FROM fills LIMIT 1"), 180)


def test_one_trace_leads_from_a_tick_to_the_fill_it_caused(demo: RunningDemo) -> None:
    """The tick's minute names the trace; signal, decision, order, fill and every process' spans bear it."""
    way = (
        "SELECT t.trade_id, s.trace_id AS trace_id, d.action, o.order_id, f.fill_id FROM fills f"
        " JOIN order_events o ON o.order_id = f.order_id AND o.trace_id = f.trace_id AND o.event = 'intended'"
        " JOIN decisions d ON d.client_order_id = o.order_id AND d.trace_id = f.trace_id"
        " JOIN signal_values s ON s.trace_id = f.trace_id AND s.strategy = f.strategy"
        " JOIN trades t ON t.venue = s.venue AND t.symbol = s.symbol AND timestamp_floor('1m', t.ts) = s.ts LIMIT 1"
    )
    (found,) = demo.until("a tick and its fill", lambda: demo.sql(way), 120)  # type: ignore[misc]
    trace_id = found["trace_id"]
    wanted = {"ingest.batch", "bar.freeze", "decision", "order.submit", "external.call", "fill.book"}

    def names() -> set[object]:
        return {row["name"] for row in demo.sql(f"SELECT DISTINCT name FROM spans WHERE trace_id = '{trace_id}'")}

    demo.until("spans of every step", lambda: names() >= wanted, 60)
    shown = demo.ares("trace", "show", str(trace_id))
    assert shown.returncode == 0
    assert all(name in shown.stdout for name in ("ingest.batch", "order.submit", "order FILLED"))


def test_analyst_can_ask_while_it_runs(demo: RunningDemo) -> None:
    def signalled() -> set[str]:
        result = subprocess.run(
            [sys.executable, "-m", "ares.cli", "db", "sql", "--json",
             "SELECT * FROM signals LATEST ON ts PARTITION BY strategy, symbol"],
            cwd=ROOT, env=demo.environment, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return {row["strategy"] for row in json.loads(result.stdout)}

    demo.until("signals", lambda: "signal_momentum" in signalled(), 60)
    with urlopen(f"http://127.0.0.1:{demo.http_port}/index.html", timeout=5) as answer:
        assert b"QuestDB" in answer.read()


def test_psql_gets_in_as_the_read_only_user(demo: RunningDemo, psql: str) -> None:
    command = [psql, "-h", "127.0.0.1", "-p", str(demo.pg_port), "-U", "user", "-At", "qdb", "-c"]
    environment = {**os.environ, "PGPASSWORD": demo.canaries["readonly_password"]}
    counted = subprocess.run(
        [*command, "SELECT count() FROM trades"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert int(counted.stdout) > 0


def test_services_are_found_by_what_they_offer(demo: RunningDemo) -> None:
    def found() -> list[str]:
        asked = demo.ares("services", "--offers", "venue-feed", "--label", "venue=sim", "--json")
        return [row["service"] for row in json.loads(asked.stdout)]

    demo.until("a ready venue feed", lambda: found() == ["ingest"], 60)


def test_settings_change_again_and_again_without_a_restart(demo: RunningDemo) -> None:
    rng = random.Random(11)
    pids = {service: demo.pid(service) for service in SERVICES}
    cycle_s = 5.0
    for number in range(RELOADS):
        if number == 0 or rng.random() < 0.4:
            text = rng.choice(["[trading]\ncycle_s = 0", "[trading.risk]\nprice_colar = 0.1", "[ingest"])
        else:
            cycle_s = round(2.0 + number / 1_000, 3)
            limits = f"[trading.risk]\nprice_collar = {rng.uniform(0.005, 0.02):.4f}\n"
            batches = (
                f"[ingest]\nbatch_rows_max = {rng.randint(100, 9_999)}\nbook_s_min = {rng.uniform(0.1, 0.5):.3f}\n"
            )
            text = f"[trading]\ncycle_s = {cycle_s}\n{limits}{batches}[analytics]\npoll_s = {rng.uniform(0.1, 0.4):.3f}"
        _write(demo.settings, text)
        time.sleep(rng.uniform(0.1, 0.6))
    _write(demo.settings, f"[trading]\ncycle_s = {cycle_s}\n")

    def in_step() -> bool:
        asked = demo.ares("config", "drift", "--json")
        return asked.returncode == 0 and len(json.loads(asked.stdout)) == len(SERVICES) - 1

    demo.until("all services in step with the file", in_step, 60)
    assert {service: demo.pid(service) for service in SERVICES} == pids
    wrong = "SELECT count() AS n FROM config_versions WHERE status = 'refused'"
    demo.until("refused changes as rows", lambda: demo.sql(wrong)[0]["n"], 30)


def _write(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


@pytest.mark.parametrize("service", SERVICES)
def test_killed_process_is_brought_back(demo: RunningDemo, service: str) -> None:
    pid = demo.pid(service)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    demo.until(f"a new {service}", lambda: demo.pid(service) not in (None, pid), 90)


def test_terminated_process_drains_in_time_at_whatever_moment_and_is_brought_back(demo: RunningDemo) -> None:
    rng = random.Random(5)
    slowest: dict[str, float] = {}
    for number in range(DRAINS):
        service = rng.choice(SERVICES) if number else "trader"
        pid = demo.until(f"{service} running", lambda s=service: demo.pid(s), 90)  # type: ignore[misc]
        assert isinstance(pid, int)
        time.sleep(rng.uniform(0.0, 4.0))
        process = psutil.Process(pid)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        psutil.wait_procs([process], timeout=60)
        slowest[service] = max(slowest.get(service, 0.0), time.monotonic() - began)
        assert slowest[service] <= DRAIN_S_MAX_OF.get(service, DRAIN_S_MAX), slowest
    for service in SERVICES:
        demo.until(f"{service} brought back", lambda s=service: demo.pid(s), 90)  # type: ignore[misc]
    sys.stdout.write(f"slowest drain: { ({name: round(s, 2) for name, s in slowest.items()}) }\n")


def test_every_open_order_is_known_after_the_restarts(demo: RunningDemo) -> None:
    """Orders that the venue has open are orders that the trader has open: it asked after each restart."""

    def same() -> bool:
        book = demo.exchange("/sim/orders")
        assert isinstance(book, dict)
        there = {order["clientOrderId"] for order in book["orders"] if order["status"] in ("NEW", "PARTIALLY_FILLED")}
        here = {str(row["order_id"]) for row in demo.sql("SELECT order_id FROM orders_open")}
        return there == here

    demo.until("the same open orders on both sides", same, 60)


def test_tables_say_what_the_log_says_after_kills_and_restarts(demo: RunningDemo) -> None:
    command = [sys.executable, "-m", "ares.cli", "events", "replay", "--json"]
    replayed = subprocess.run(
        command, cwd=ROOT, env=demo.environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    rows = {row["table"]: row["live"] for row in json.loads(replayed.stdout)}
    assert rows["order_events"] >= 3
    assert rows["events"] > rows["order_events"] + rows["fills"]


def test_no_tick_is_missing_without_being_admitted(demo: RunningDemo) -> None:
    """Ids in `trades` plus ids in gaps that are not healed are the ids that the exchange issued."""

    def complete(symbol: str, issued: int) -> bool:
        (stored,) = demo.sql(
            "SELECT count_distinct(seq) AS n, min(seq) AS first_seq FROM trades "
            f"WHERE symbol = '{symbol}' AND seq <= {issued}"
        )
        (admitted,) = demo.sql(
            "SELECT sum(missing) AS n FROM (SELECT gap_id, status, missing, last_seq FROM gaps "
            f"WHERE symbol = '{symbol}' AND channel = 'trades' LATEST ON ts PARTITION BY gap_id) "
            f"WHERE status != 'healed' AND last_seq <= {issued}"
        )
        expected = issued - int(str(stored["first_seq"])) + 1
        return int(str(stored["n"])) + int(str(admitted["n"] or 0)) == expected

    for symbol in ("BTC/USDT", "ETH/USDT"):
        path = f"/sim/issued?symbol={symbol.replace('/', '')}"
        issued = demo.until("the exchange", lambda p=path: demo.exchange(p), 60)  # type: ignore[misc]
        assert isinstance(issued, dict)
        last = int(issued["last"])
        demo.until(f"all trades of {symbol} up to {last}", lambda s=symbol, n=last: complete(s, n), 40)


def test_no_order_is_sent_twice(demo: RunningDemo) -> None:
    book = demo.until("the exchange", lambda: demo.exchange("/sim/orders"), 60)
    assert isinstance(book, dict)
    ids = [order["clientOrderId"] for order in book["orders"]]
    assert ids
    assert len(ids) == len(set(ids))


def test_what_fails_is_said_without_secrets(demo: RunningDemo) -> None:
    """Commands and doors as an operator uses them, failures included; the next test reads what they said."""
    secret = demo.canaries["api_secret"]
    wrong = {"ARES_DATABASE__READONLY_PASSWORD": secret, "ARES_DATABASE__CONNECT_S_MAX": "2"}
    assert demo.ares("config", "show").returncode == 0
    assert demo.ares("secrets", "check").returncode == 0
    assert demo.ares("config", "set", "venues.sim.api_secret", secret).returncode == 2
    assert demo.ares("db", "sql", "SELECT nothing FROM nowhere").returncode == 1
    assert demo.ares("db", "sql", "SELECT 1", **wrong).returncode == 1
    other = {
        "ARES_ENVIRONMENT__STATE_DIR": str(demo.state_dir.parent / "other"),
        "ARES_CONTROL__URL": f"postgresql+psycopg://u:{secret}@127.0.0.1:9/x",
    }
    assert demo.started("service", "run", "trader", **other).returncode == 1
    demo.ares("doctor")
    demo.ares("events", "tail", "--json")
    for service in ("exchange", "ingest", "analytics", "mirror", "trader"):
        port = json.loads((demo.state_dir / "run" / f"{service}.json").read_text())["port"]
        for path in ("metrics", "config", "readyz"):
            with contextlib.suppress(OSError, ValueError):
                demo.said.append(urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5).read().decode())
    assert sum("ares_config_valid" in each for each in demo.said) >= 3


def test_report_holds_and_no_process_is_left(demo: RunningDemo) -> None:
    for table, least in (("decisions", 20), ("fills", 1)):
        query = f"SELECT count() AS n FROM {table}"
        demo.until(table, lambda query=query, least=least: demo.sql(query)[0]["n"] >= least, DURATION_S)
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(120) == 0
    report = json.loads(demo.report.read_text())
    assert set(report) >= REPORT_KEYS
    assert report["trades_stored"] > 0
    assert report["quotes_stored"] > 0
    assert report["books_stored"] > 0
    assert report["bars_1m"] > 0
    assert report["features"] >= 12
    assert set(report["strategies"]) >= {"signal_momentum", "signal_direction"}
    assert report["model"]["auc"] is not None
    assert report["decisions"] >= 10
    assert report["fills"] >= 1
    assert report["acked_not_stored"] == 0
    assert report["processes_left"] == 0
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(demo.state_dir) in " ".join(p.info["cmdline"] or [])]


def test_no_secret_is_in_logs_pages_tables_stores_or_answers(demo: RunningDemo) -> None:
    """Every byte that the installation left behind, as UTF-8 and as QuestDB keeps symbols (UTF-16)."""
    values = [value.encode(code) for value in demo.canaries.values() for code in ("utf-8", "utf-16-le")]
    files = [path for path in (demo.state_dir.parent).rglob("*") if path.is_file()]
    assert {"control.db", "trader.log", "questdb.log", "out.json", "demo.log"} <= {path.name for path in files}
    found = {str(path) for path in files if any(value in path.read_bytes() for value in values)}
    assert not found
    answers = "\n".join(demo.said).encode()
    assert not [value for value in values if value in answers]
    assert b"**********" in answers, "settings were shown"
