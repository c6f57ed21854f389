"""Goal: what the guide tells to do in a disaster ends that disaster: its commands run as they stand, on a real one.

`make disasters` runs all six; three of them are enough for every change.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import free_port, require_program
from tests.place import GUIDE, Place, commands, secret_file

OLD_ROWS = 1_000
only_all = pytest.mark.skipif("ARES_TEST_DISASTERS" not in os.environ, reason="make disasters runs it")
OLD_DAY = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A running installation with trades of now, and older ones that no venue can be asked for."""
    require_program("restic", "apt-get install restic")
    folder = tmp_path_factory.mktemp("disasters")
    http, pg, health, exchange, control = (str(free_port()) for _ in range(5))
    for name in ("password", "api_key", "api_secret"):
        secret_file(folder / name, secrets.token_hex(16))
    keys = {
        f"ARES_{who}__{name.upper()}": f"file:{folder / name}"
        for who in ("VENUES__SIM", "SIMULATOR")
        for name in ("api_key", "api_secret")
    }
    variables = {
        "ARES_ENVIRONMENT__STATE_DIR": str(folder / "var"),
        "ARES_DATABASE__HTTP_PORT": http,
        "ARES_DATABASE__PG_PORT": pg,
        "ARES_DATABASE__HEALTH_PORT": health,
        "ARES_SIMULATOR__PORT": exchange,
        "ARES_VENUES__SIM__REST_URL": f"http://127.0.0.1:{exchange}",
        "ARES_VENUES__SIM__WS_URL": f"ws://127.0.0.1:{exchange}",
        "ARES_TRADING__CONTROL_PORT": control,
        "ARES_MONITORING__PORT_BASE": "0",
        "ARES_INGEST__BACKFILL_TRADES_HOURS": "0.1",
        "ARES_INGEST__BACKFILL_BARS_HOURS": "1",
        "ARES_BACKUP__REPOSITORY": str(folder / "repository"),
        "ARES_BACKUP__PASSWORD": f"file:{folder / 'password'}",
        "ARES_BACKUP__JOURNAL_S": "3600",
        "ARES_BACKUP__CRON": "0 0 1 1 *",
        "ARES_AUDIT__KEY_FILE": str(folder / "audit.key"),
        **keys,
    }
    there = Place(folder, variables, int(pg))
    try:
        there.start()
        there.sql(
            "INSERT INTO trades (ts, venue, symbol, side, source, trade_id, seq, price, amount, received_at)"
            f" SELECT ('{OLD_DAY:%Y-%m-%d}'::timestamp + x * 1000000)::timestamp_ns, 'old', 'BTC/USDT', 'buy',"
            f" 'import', x::varchar, x, 100.0, 1.0, now()::timestamp_ns FROM long_sequence({OLD_ROWS})",
            user="admin",
        )
        there.until("the old trades", lambda: old_trades(there) == OLD_ROWS)
        there.sh("ares backup run")
        yield there
    finally:
        there.kill()


def old_trades(place: Place) -> object:
    return place.sql("SELECT count() AS n FROM trades WHERE venue = 'old'")[0]["n"]


def invalid_views(place: Place) -> object:
    return place.sql("SELECT count() AS n FROM materialized_views() WHERE view_status = 'invalid'")[0]["n"]


@only_all
def test_corrupted_table_has_its_rows_and_its_bars_again(place: Place) -> None:
    place.sql(f"ALTER TABLE trades DROP PARTITION LIST '{OLD_DAY:%Y-%m-%d}'", user="admin")
    place.until("the loss", lambda: old_trades(place) == 0)
    assert "BTC/USDT" in place.follow("Corrupted table")
    assert old_trades(place) == OLD_ROWS
    place.until("bars that are built anew", lambda: invalid_views(place) == 0)


@only_all
def test_bad_deploy_is_taken_back_and_the_data_of_before_are_there(place: Place) -> None:
    place.sh('ares config set trading.risk.orders_per_minute_max 7 --why "known to be good"')
    before = datetime.now(UTC)
    place.sh('ares config set trading.risk.orders_per_minute_max 700 --why "bad deploy"')
    place.follow("Bad deploy", NEW=place.folder / "as-before", BEFORE=f"{before:%Y-%m-%dT%H:%M:%S}")
    assert (place.folder / "as-before" / "control.db").is_file()


@only_all
def test_leaked_keys_open_nothing_any_more(place: Place) -> None:
    old = secret_file(place.folder / "old", (place.folder / "password").read_text().strip())
    place.follow(
        "Leaked key",
        KEY_FILE=place.folder / "api_key",
        NEW_KEY_FILE=secret_file(place.folder / "new_key", secrets.token_hex(16)),
        PASSWORD_FILE=place.folder / "password",
        OLD_PASSWORD_FILE=old,
        NEW_PASSWORD_FILE=secret_file(place.folder / "new", secrets.token_hex(16)),
    )
    assert place.trader_state() == "HALTED"
    refused = subprocess.run(
        ["restic", "-r", place.variables["ARES_BACKUP__REPOSITORY"], "--password-file", str(old), "snapshots"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "wrong password" in refused.stderr


@only_all
def test_what_was_ours_is_kept_when_the_exchange_is_gone(place: Place) -> None:
    card = json.loads((place.state_dir / "run" / "exchange.json").read_text())
    os.kill(int(card["pid"]), signal.SIGSTOP)
    try:
        now = datetime.now(UTC)
        period = {"FROM": f"{now - timedelta(days=1):%Y-%m-%d}", "TO": f"{now:%Y-%m-%dT%H:%M:%S}"}
        place.follow("Exchange gone", EVIDENCE=place.folder / "evidence", **period)
    finally:
        os.kill(int(card["pid"]), signal.SIGCONT)
    audit = (place.folder / "evidence" / "audit.jsonl").read_text()
    assert "the exchange is gone" in audit
    assert (place.folder / "evidence" / "events.jsonl").stat().st_size > 0
    assert zipfile.is_zipfile(place.folder / "evidence" / "period.zip")


def test_lost_disk_costs_nothing_that_was_backed_up_and_nobody_trades_before_a_person_looked(place: Place) -> None:
    place.kill()
    shutil.rmtree(place.state_dir)
    place.follow("Lost disk", NEW=place.folder / "new-disk")
    place.variables["ARES_ENVIRONMENT__STATE_DIR"] = str(place.folder / "new-disk")
    assert old_trades(place) == OLD_ROWS
    place.start()
    assert place.trader_state() == "HALTED"
    for block in commands("Lost disk", after_up=True):
        place.sh(block)
    assert place.trader_state() == "ACTIVE"


@only_all
def test_lost_region_is_replaced_by_the_repository_of_another_one(place: Place) -> None:
    other = place.folder / "other-region"
    shutil.copytree(place.variables["ARES_BACKUP__REPOSITORY"], other)
    place.follow("Lost region", NEW=place.folder / "elsewhere", OTHER_REGION=other)
    assert (place.folder / "elsewhere" / "questdb").is_dir()


def test_every_disaster_of_the_guide_has_commands_and_a_test() -> None:
    scenarios = [name for name in re.findall(r"^## (.+)$", GUIDE, re.MULTILINE) if name != "Before"]
    tested = Path(__file__).read_text(encoding="utf-8")
    assert len(scenarios) == 6
    assert [name for name in scenarios if f'follow("{name}"' in tested or f'"{name}",' in tested] == scenarios
    assert all(commands(name) for name in scenarios)
