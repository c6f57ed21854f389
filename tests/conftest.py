"""Fixtures with real parts: one QuestDB for the whole run, a control store per test."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from ares.config.settings import DatabaseConfig
from ares.control import ControlStore
from ares.store import Database, RowWriter
from backup.restore.scratch import free_ports
from tests.helpers import missing
from tests.kafka import COORDINATE, RunningKafka, kafka_path, running_kafka
from tests.questdb import serving, small
from tests.vaultd import RunningVault, running_vault

settings.register_profile("ares", max_examples=int(os.environ.get("ARES_TEST_EXAMPLES", "50")), deadline=None)
settings.load_profile("ares")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    return free_ports(1)[0]


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """A command that runs inside of a test sends its logs to a stream that ends with the test: nobody else does."""
    root, config = logging.getLogger(), structlog.get_config()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook = hook
    structlog.configure(**config)


@pytest.fixture(scope="session", autouse=True)
def one_registry_of_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A registry takes seconds to be made: all tests share one, each with a model of a name of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}")
        yield


@pytest.fixture(scope="session")
def psql() -> str:
    """The psql program; without it the test skips with the way out, in CI that is a failure."""
    return require_program("psql", "apt-get install postgresql-client")


def require_program(name: str, install: str) -> str:
    """Where a program is. Skips on a user's machine, fails in CI."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed: {install}")
    return found


@pytest.fixture(scope="session")
def questdb_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseConfig]:
    """A real QuestDB on free ports with the whole schema; stopped at the end of the run."""
    config = small()
    with serving(config, tmp_path_factory.mktemp("questdb"), schema=True):
        yield config


@pytest.fixture(scope="session")
def tiered_questdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseConfig]:
    """A QuestDB for tests of tiers alone: what goes by age goes for all who share a table."""
    config = small(retention_trades_days=4)
    with serving(config, tmp_path_factory.mktemp("tiers"), schema=True):
        yield config


@pytest.fixture
async def database(questdb_config: DatabaseConfig) -> AsyncIterator[Database]:
    """A pool on the shared QuestDB."""
    async with await Database.connect(questdb_config) as pool:
        yield pool


@pytest.fixture(scope="session")
def writer(questdb_config: DatabaseConfig) -> Iterator[RowWriter]:
    """A writer to the shared QuestDB; one for all tests, for its client warns of many connections in a short time."""
    rows = RowWriter(questdb_config)
    yield rows
    asyncio.run(rows.close())


@pytest.fixture
def venue() -> str:
    """A venue (or account) name of this test alone: tests share one server and must not see each other's rows."""
    return f"venue_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlStore]:
    """An empty control store on SQLite."""
    store = ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")
    yield store
    store.close()


@pytest.fixture
def vault() -> Iterator[RunningVault]:
    """A real Vault of this test alone."""
    with running_vault(free_port()) as there:
        yield there


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """A real broker for the tests of one file."""
    try:
        kafka_path()
    except Exception as error:  # jgo has no errors of its own
        missing(f"{COORDINATE} cannot be had from Maven Central: {error}")
    with running_kafka(tmp_path_factory.mktemp("kafka"), free_port(), free_port()) as there:
        yield there


def shared_folder() -> Path:
    """Where real recordings lie beside the checkout, if they are there."""
    return Path(os.environ.get("ARES_TEST_DATA", SHARED_DATA))


@pytest.fixture
def shared_data() -> Path:
    """The folder of real recordings beside the checkout; tests that need it skip where it is absent."""
    folder = shared_folder()
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}: set ARES_TEST_DATA to a folder that has them")
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}; run the tests as root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def port() -> int:
    """A free port on loopback."""
    return free_port()


@pytest.fixture
def ports() -> list[int]:
    """Three different free ports on loopback."""
    return [free_port() for _ in range(3)]
