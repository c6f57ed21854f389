"""Goal: a region that is cut off, then lost, is replaced by another: never two that trade, and its cost is told.

Two whole installations with a QuestDB each, one venue, an S3 with a bucket in each region. `make rehearse-region`.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.conftest import free_port, require_program
from tests.helpers import ROOT
from tests.place import Place, commands, secret_file
from tests.region import Replication
from tests.s3 import running_s3
from tests.venue_address import Address, address

pytestmark = pytest.mark.skipif("ARES_TEST_REGION" not in os.environ, reason="make rehearse-region runs it")
QUIET_S = 120
ORDER = 'ares trader order BTC/USDT buy 0.001 --reason "of a rehearsal" --id {0} --json'
ROWS = (
    "SELECT symbol, count() AS rows, min(seq) AS first, max(seq) AS last FROM trades WHERE ts < '{0}' ORDER BY symbol"
)


@dataclass
class World:
    """Both regions, the way of each to the venue, and what lies between them."""

    folder: Path
    first: Place
    second: Place
    first_address: Address
    replication: Replication
    repositories: tuple[str, str]
    api_ports: tuple[int, int]


def variables(folder: Path, region: str, repository: str, venue: tuple[Address, int]) -> dict[str, str]:
    """Settings of a region's installation; what is secret lies in files that both regions have."""
    there, exchange_port = venue
    return {
        "ARES_ENVIRONMENT__STATE_DIR": str(folder / region / "var"),
        "ARES_VENUES__SIM__REST_URL": there.url,
        "ARES_VENUES__SIM__WS_URL": f"ws://127.0.0.1:{exchange_port}",
        "ARES_VENUES__SIM__API_KEY": f"file:{folder / 'api_key'}",
        "ARES_VENUES__SIM__API_SECRET": f"file:{folder / 'api_secret'}",
        **{f"ARES_DATABASE__{name}_PORT": str(free_port()) for name in ("HTTP", "PG", "HEALTH")},
        "ARES_TRADING__CONTROL_PORT": str(free_port()),
        "ARES_MONITORING__PORT_BASE": "0",
        "ARES_INGEST__BACKFILL_TRADES_HOURS": "0.1",
        "ARES_INGEST__BACKFILL_BARS_HOURS": "1",
        "ARES_API__ENABLED": "true",
        "ARES_API__CONSOLE": "false",
        "ARES_API__PORT": str(free_port()),
        "ARES_ACCESS__KEY_FILE": str(folder / "access.key"),
        "ARES_AUDIT__KEY_FILE": str(folder / "audit.key"),
        "ARES_BACKUP__REPOSITORY": repository,
        "ARES_BACKUP__PASSWORD": f"file:{folder / 'password'}",
        "ARES_BACKUP__S3_KEY_ID": f"file:{folder / 's3_key'}",
        "ARES_BACKUP__S3_SECRET": f"file:{folder / 's3_secret'}",
        "ARES_BACKUP__S3_REGION": "us-east-1",
        "ARES_BACKUP__JOURNAL_S": "3600",
        "ARES_BACKUP__CRON": "0 0 1 1 *",
    }


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The first region trades; the second has settings and an address."""
    require_program("restic", "apt-get install restic")
    for name in ("password", "api_key", "api_secret", "s3_key", "s3_secret"):
        secret_file(tmp_path / name, secrets.token_hex(16))
    secret_file(tmp_path / "access.key", b64encode(secrets.token_bytes(32)).decode())
    with ExitStack() as stack:
        url = stack.enter_context(running_s3(free_port(), "first"))
        exchange_port = stack.enter_context(exchange(tmp_path))
        addresses = [stack.enter_context(address(exchange_port)) for _ in range(2)]
        repositories = f"s3:{url}/first/ares", f"s3:{url}/second/ares"
        places = []
        for region, way, repository in zip(("first", "second"), addresses, repositories, strict=True):
            (tmp_path / region).mkdir()
            said = variables(tmp_path, region, repository, (way, exchange_port))
            place = Place(tmp_path / region, said, int(said["ARES_DATABASE__PG_PORT"]), ("up",))
            places.append(place)
            stack.callback(place.kill)
        first, second = places
        replication = Replication(url, "first", "second")
        replication.begin()
        ports = int(first.variables["ARES_API__PORT"]), int(second.variables["ARES_API__PORT"])
        first.start()
        yield World(tmp_path, first, second, addresses[0], replication, repositories, ports)


@contextmanager
def exchange(folder: Path) -> Iterator[int]:
    """The port of the venue, a process of its own, which no region's end takes with it."""
    port = free_port()
    said = {
        "ARES_ENVIRONMENT__STATE_DIR": str(folder / "exchange"),
        "ARES_SIMULATOR__PORT": str(port),
        "ARES_SIMULATOR__API_KEY": f"file:{folder / 'api_key'}",
        "ARES_SIMULATOR__API_SECRET": f"file:{folder / 'api_secret'}",
    }
    command = [sys.executable, "-m", "ares.cli", "service", "run", "exchange", "--port", "0"]
    with (folder / "exchange.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **said}, stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(30)


def rows_before(place: Place, moment: str) -> list[dict[str, object]]:
    return place.sql(ROWS.format(moment))


def answered(port: int, key: str, path: str) -> object:
    """What the API of a region tells who shows a key."""
    request = Request(f"http://127.0.0.1:{port}/api/v1/{path}", headers={"Authorization": f"Bearer {key}"})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"


def test_region_that_was_cut_off_and_then_lost_is_replaced_and_two_never_trade(world: World) -> None:
    first, second = world.first, world.second
    key = given_a_key(first)
    whole = backed_up_and_replicated(world)
    cut_off = backed_up_and_cut_off(world)

    began_s = time.monotonic()
    restored = brought_back(world, whole)
    brought_s = time.monotonic() - began_s
    second.variables["ARES_ENVIRONMENT__STATE_DIR"] = str(world.folder / "elsewhere")
    second.start()
    assert second.trader_status()["state"] == "HALTED"
    second.until("the API", lambda: answered(world.api_ports[1], key, "trades?symbol=BTC/USDT&limit=1"))
    rto_s = time.monotonic() - began_s

    assert rows_before(second, restored["market_to"])
    for before in (restored["market_to"], cut_off):  # what replication lacked the venue has told by now
        second.until(
            "the first one's rows", lambda before=before: rows_before(second, before) == rows_before(first, before)
        )

    fenced(world)
    second.until("two minutes of nobody else", lambda: resumed(second), QUIET_S + 120)
    assert second.trader_state() == "ACTIVE"
    assert json.loads(second.sh(ORDER.format("after")))["sent"]
    time.sleep(35)  # the account is looked at every 30 s: its balances must be those of the book, and nobody else's
    assert second.trader_status()["state"] == "ACTIVE"
    first.refused(ORDER.format("late"))
    assert world.first_address.answers > 0
    first.kill()
    rpo_s = moment(cut_off) - moment(restored["market_to"])
    rpo_journal_s = moment(cut_off) - moment(restored["journal_to"])
    sys.stdout.write(
        f"\nsecond region: RPO {rpo_s:.0f} s of market data (0 once the venue was asked), {rpo_journal_s:.0f} s of the"
        f" journal; RTO {rto_s:.0f} s until HALTED trader and API answered, of which restore {brought_s:.0f} s"
    )


def given_a_key(first: Place) -> str:
    """Of a user of the first region, which must open the second one too."""
    first.sh('ares user add maria --role trader <<<"$PASSWORD"', PASSWORD=secrets.token_urlsafe(18))
    return first.sh("ares user key-add maria rehearsal --may market:read --may trading:read").strip()


def backed_up_and_replicated(world: World) -> str:
    """A moment by which everything was there in both regions."""
    assert json.loads(world.first.sh(ORDER.format("before")))["sent"]
    world.first.sh("ares backup run")
    assert not world.replication.catch_up()
    time.sleep(1)
    whole = now()
    time.sleep(1)
    return whole


def backed_up_and_cut_off(world: World) -> str:
    """The next backup arrives in part: its snapshots do, not what they lead to. Returns when that was."""
    assert json.loads(world.first.sh(ORDER.format("unknown-elsewhere")))["sent"]
    world.first.sh("ares backup run")
    assert world.replication.catch_up(lambda key: "/snapshots/" in key)
    return now()


def brought_back(world: World, whole: str) -> dict[str, str]:
    """By the guide: the newest backup is refused, the one before comes back."""
    second, new = world.second, world.folder / "elsewhere"
    check, *_ = commands("Lost region")
    names = {"NEW": world.folder / "refused", "OTHER_REGION": world.repositories[1]}
    said = second.refused(check, **names)
    assert "repository" in said
    assert not (world.folder / "refused").exists()
    told = second.sh('ares backup restore --to "$NEW" --at "$WHOLE" --json', NEW=new, WHOLE=whole)
    (row,) = json.loads(told)
    assert row["silent_views"] == ""
    return dict(row)


def fenced(world: World) -> None:
    """The first region still trades, is noticed, and is ended at the venue."""
    first, second = world.first, world.second
    assert json.loads(first.sh(ORDER.format("of-the-first")))["sent"]
    second.until("the other trader", lambda: second.trader_status().get("state_actor") == "rival", 90)
    said = second.refused('ares trader resume --reason "the first region is lost"')
    assert "another trader of ours acts on this account" in said
    assert second.trader_status()["state"] == "HALTED"
    world.first_address.refuse()


def resumed(place: Place) -> bool:
    """Whether the guide's own words let the second region trade by now."""
    for block in commands("Lost region", after_up=True):
        done = place.ran(block)
        if done.returncode:
            assert "another trader of ours" in done.stderr, done.stderr
            return False
    return True


def moment(text: str) -> float:
    told = datetime.fromisoformat(text)
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
