"""Goal: QuestDB takes settings and secrets as manifests give them; its volume is cut while a checkpoint holds."""

from __future__ import annotations

import asyncio
import base64
import json
import runpy
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, quote, urlsplit
from urllib.request import Request, urlopen

import jsonschema_rs
import psycopg
import pytest

from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.errors import BackupIncomplete
from ares.store.server import EmbeddedQuestDB
from backup.checkpoint import checkpoint
from backup.lock import only_one
from tests.kubernetes import KUBERNETES, named, overlay, pods
from tests.questdb import small

PASSWORD, READER = "of-a-mounted-secret", "of-another-one"
SCRIPT = runpy.run_path(str(KUBERNETES / "components" / "snapshots" / "snapshot.py"))
Work, Snapshots, Bounds, KubernetesRefused = (
    SCRIPT[name] for name in ("Work", "Snapshots", "Bounds", "KubernetesRefused")
)
SCHEMA = jsonschema_rs.validator_for(
    json.loads((KUBERNETES / "schemas" / "volumesnapshot.json").read_text(encoding="utf-8"))
)
TOKEN = "of-the-pods-own-account"


class AsInTheCluster(EmbeddedQuestDB):
    """With the variables of the overlay prod, but for the ports of this test."""

    def __init__(self, config: DatabaseConfig, folder: Path) -> None:
        super().__init__(config, folder)
        self._secrets = folder / "secrets"
        self._secrets.mkdir()
        for name, text in (("password", PASSWORD), ("readonly-password", READER)):
            (self._secrets / name).write_text(f"{text}\n", encoding="utf-8")

    def environment(self) -> Mapping[str, str]:
        there = overlay("prod")
        container = next(pod for pod in pods(there) if pod.name == "questdb").container("questdb")
        mounted = "/run/secrets/questdb"
        files = {each["name"]: each["value"].replace(mounted, str(self._secrets)) for each in container["env"]}
        ours = super().environment()
        doors = {name: ours[name] for name in ours if name.endswith("BIND_TO")}
        return {**named(there, "ConfigMap", "questdb")["data"], **files, **doors}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseConfig]:
    """A running QuestDB, empty, as in the cluster."""
    config = small(password=PASSWORD, readonly_password=READER)
    server = AsInTheCluster(config, tmp_path_factory.mktemp("cluster"))
    try:
        server.start()
        yield config
    finally:
        server.stop()


def asked(config: DatabaseConfig, statement: str, user: str, password: str) -> Any:
    """What QuestDB answers over HTTP."""
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    url = f"http://{config.host}:{config.http_port}/exec?query={quote(statement)}"
    with urlopen(Request(url, headers={"Authorization": f"Basic {word}"}), timeout=10) as answer:
        return json.load(answer)


def connected(config: DatabaseConfig, user: str, password: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(
        host=config.host, port=config.pg_port, user=user, password=password, dbname="qdb", autocommit=True
    )


def test_questdb_lets_in_by_the_mounted_secrets_alone(cluster: DatabaseConfig) -> None:
    assert asked(cluster, "SELECT 1", "admin", PASSWORD)["count"] == 1
    with pytest.raises(HTTPError, match="401"):
        asked(cluster, "SELECT 1", "admin", "quest")
    with connected(cluster, "admin", PASSWORD) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (ts TIMESTAMP) TIMESTAMP(ts) PARTITION BY DAY WAL")
    with pytest.raises(psycopg.OperationalError):
        connected(cluster, "admin", "quest")
    with connected(cluster, "user", READER) as connection:
        assert connection.execute("SELECT count() FROM kept").fetchone() == (0,)
        with pytest.raises(psycopg.Error, match=r"(?i)denied|permission|read"):
            connection.execute("INSERT INTO kept VALUES (now())")


def test_probes_and_prometheus_are_answered_without_a_password(cluster: DatabaseConfig) -> None:
    for path in ("status", "metrics"):
        with urlopen(f"http://{cluster.host}:{cluster.health_port}/{path}", timeout=10) as answer:
            assert answer.status == 200
            assert path == "status" or b"questdb" in answer.read()


@dataclass
class ApiServer:
    """Keeps VolumeSnapshots as an API server and a storage driver do: cut at the second look, usable at the fourth."""

    database: DatabaseConfig
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    held: list[bool] = field(default_factory=list)
    """Whether QuestDB held a checkpoint, when one was asked for, and when it was cut."""
    refuses: int = 0
    never_cut: bool = False
    fault: str = ""

    def create(self, body: dict[str, Any]) -> tuple[int, Any]:
        if self.refuses:
            return self.refuses, {"message": "volumesnapshots is forbidden"}
        name = body["metadata"]["name"]
        assert [error.message for error in SCHEMA.iter_errors(body)] == []
        if name in self.items:
            return 409, {"message": "already exists"}
        self.held.append(self._holds())
        self.items[name] = {
            **body,
            "metadata": {**body["metadata"], "creationTimestamp": f"2026-01-01T00:00:{len(self.items):02d}Z"},
        }
        return 201, self.items[name]

    def get(self, name: str) -> tuple[int, Any]:
        if name not in self.items:
            return 404, {"message": "not found"}
        self.looks[name] = self.looks.get(name, 0) + 1
        status: dict[str, Any] = {"error": {"message": self.fault}} if self.fault else {}
        if self.looks[name] == 2:
            self.held.append(self._holds())
        if self.looks[name] >= 2 and not self.never_cut:
            status |= {"creationTime": "2026-01-01T00:00:01Z", "readyToUse": self.looks[name] >= 4}
        self.items[name]["status"] = status
        return 200, self.items[name]

    def _holds(self) -> bool:
        said = asked(self.database, "SELECT in_progress FROM checkpoint_status()", "admin", PASSWORD)
        return bool(said["dataset"][0][0])


@contextmanager
def serving(there: ApiServer) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            wanted = [each.partition("=") for each in parse_qs(parts.query).get("labelSelector", [""])[0].split(",")]
            name = parts.path.rpartition("volumesnapshots")[2].strip("/")
            found = [
                item
                for item in there.items.values()
                if all(item["metadata"].get("labels", {}).get(key) == value for key, _, value in wanted)
            ]
            self.say(*((200, {"items": found}) if not name else there.get(name)))

        def do_POST(self) -> None:
            self.say(*there.create(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def do_DELETE(self) -> None:
            self.say(200, there.items.pop(self.path.rpartition("/")[2]))

        def say(self, status: int, body: Any) -> None:
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                status, body = 401, {"message": "Unauthorized"}
            assert "/namespaces/ares/volumesnapshots" in self.path
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Night:
    """One night's run against a QuestDB and an API server."""

    api: ApiServer
    work: Any

    async def run(self, keep: int = 2) -> tuple[str, list[str]]:
        name, gone = await self.work.run("data-questdb-0", "ares-questdb", keep)
        return name, list(gone)


@pytest.fixture
def night(cluster: DatabaseConfig, tmp_path: Path) -> Iterator[Night]:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n", encoding="utf-8")
    api = ApiServer(cluster)
    with serving(api) as address:
        bounds = Bounds(free_s_max=5.0, cut_s_max=1.0, ready_s_max=5.0, poll_s=0.02)
        yield Night(
            api, Work(cluster, Snapshots(address, token, "ares", None), SystemClock(), tmp_path / "backup", bounds)
        )


def holds(config: DatabaseConfig) -> bool:
    return ApiServer(config)._holds()


async def test_the_volume_is_cut_while_the_checkpoint_holds_which_ends_then(night: Night) -> None:
    name, gone = await night.run()
    assert night.api.held == [True, True], "when it was asked for, and when it was cut"
    assert not await asyncio.to_thread(holds, night.api.database)
    assert night.api.items[name]["status"]["readyToUse"] is True
    assert gone == []


async def test_old_ones_go_and_what_others_made_stays(night: Night) -> None:
    night.api.items["by-hand"] = {"metadata": {"name": "by-hand", "labels": {"app.kubernetes.io/part-of": "ares"}}}
    made = []
    for _ in range(4):
        name, gone = await night.run()
        made.append(name)
        await asyncio.sleep(1.0)  # names tell the second
    assert gone == [made[1]]
    assert list(night.api.items) == ["by-hand", *made[2:]]


async def test_a_snapshot_that_never_becomes_usable_takes_no_usable_one_with_it(night: Night) -> None:
    first, _ = await night.run(keep=1)
    night.api.never_cut, night.api.fault = True, "quota of snapshots"
    await asyncio.sleep(1.0)
    with pytest.raises(KubernetesRefused, match=r"1 s went by before it is cut \(quota of snapshots\)"):
        await night.run(keep=1)
    assert first in night.api.items
    assert not await asyncio.to_thread(holds, night.api.database), "the checkpoint ended all the same"


async def test_who_may_not_make_snapshots_is_told_and_leaves_no_checkpoint(night: Night) -> None:
    night.api.refuses = 403
    with pytest.raises(KubernetesRefused, match="403 volumesnapshots is forbidden"):
        await night.run()
    assert not await asyncio.to_thread(holds, night.api.database)


async def test_it_waits_for_the_checkpoint_of_a_backup(night: Night, cluster: DatabaseConfig, tmp_path: Path) -> None:
    other = tmp_path / "other"
    async with only_one(other / "lock", SystemClock(), 0.0) as lock, checkpoint(cluster, other, lock, 10.0):
        waiting = asyncio.create_task(night.run())
        await asyncio.sleep(0.5)
        assert night.api.items == {}, "nothing is cut meanwhile"
        assert not waiting.done()
    await waiting
    assert night.api.held == [True, True]


async def test_a_checkpoint_that_stays_is_the_end_of_it(night: Night, cluster: DatabaseConfig, tmp_path: Path) -> None:
    other = tmp_path / "other"
    impatient = Bounds(free_s_max=0.2, cut_s_max=1.0, ready_s_max=1.0, poll_s=0.02)
    work = Work(cluster, night.work.snapshots, SystemClock(), tmp_path / "backup", impatient)
    async with only_one(other / "lock", SystemClock(), 0.0) as lock, checkpoint(cluster, other, lock, 10.0):
        with pytest.raises(BackupIncomplete, match="that no backup of ours took"):
            await work.run("data-questdb-0", "ares-questdb", 2)
        assert await asyncio.to_thread(holds, cluster), "another one's checkpoint is not ours to end"


def test_a_wrong_token_and_an_api_server_that_is_away_are_said_in_a_line(
    tmp_path: Path, cluster: DatabaseConfig
) -> None:
    token = tmp_path / "token"
    token.write_text("stolen", encoding="utf-8")
    with serving(ApiServer(cluster)) as address, pytest.raises(KubernetesRefused, match="401 Unauthorized"):
        Snapshots(address, token, "ares", None).ours()
    with pytest.raises(KubernetesRefused, match="does not answer GET"):
        Snapshots(address, token, "ares", None).ours()
    with pytest.raises(KubernetesRefused, match="not in a pod"):
        Snapshots.of_this_pod()


def test_the_command_line_asks_for_what_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--keep=0", "--claim=a", "--class=b"], ["--claim=a"]):
        with pytest.raises(SystemExit) as ended:
            SCRIPT["main"](wrong)
        assert ended.value.code == 2
    assert "--keep = 0: the new one at least must stay" in capsys.readouterr().err
