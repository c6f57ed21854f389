"""Goal: every incident is told by its alert in the time stated, does what it should, and is over after recovery.

Who watches may die: trading goes on without.

`make incidents`: twenty minutes, for a backup that fails is told after fifteen.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest

from ares.config import AresConfig
from ares.errors import StoreError
from ares.store import Database
from ares.store.pool import as_int
from tests.conftest import require_program
from tests.helpers import ares
from tests.incidents import CLOCK, HEAD, WATCHERS, Drill, Incident, Installation, collector_of_traces, installed
from tests.sql_alerts import HOUR, MINUTE, equity_row, gap_row

STARTED_S_MAX = 300
STEADY_S = 30
ACCOUNT = "drill"
CHAMPIONS = "SELECT count() AS n FROM predictions WHERE ts > dateadd('m', -5, now())"
BACKED_UP = "SELECT count() AS n FROM backups WHERE status = 'ok'"

pytestmark = pytest.mark.skipif("ARES_TEST_INCIDENTS" not in os.environ, reason="make incidents runs it: 20 minutes")


async def test_every_incident_is_told_acted_on_and_over_in_time(tmp_path: Path) -> None:
    for program in ("prometheus", "prometheus-alertmanager", "restic"):
        require_program(program, f"apt-get install {program}")
    with installed(tmp_path) as there:
        async with aiohttp.ClientSession() as http:
            async with collector_of_traces(there.ports["traces"]) as traces:
                await begun(there, http)
                assert traces
                before, quiet = await there.cycles(http), await cycles_later(there, http)
                watchers = there.watchers()
                assert len(watchers) == WATCHERS
                for watcher in watchers:
                    watcher.kill()
            await undisturbed(there, http, before, quiet)
            sys.stdout.write(f"\n{HEAD}\n")
            drill = Drill(there, http)
            during = asyncio.gather(drill.run(gap(there)), drill.run(failed_backup(there)))
            for incident in (exchange_outage(there), bad_model(there), drawdown(there)):
                await drill.run(incident)
            resumed = await asyncio.to_thread(ares, "trader", "resume", "--reason", "drill", **there.variables())
            assert resumed.returncode == 0, resumed.stderr
            told = await during
            assert [each.incident.name for each in told] == ["gap", "failed backup"]
            await drill.run(database_outage(there))


async def begun(there: Installation, http: aiohttp.ClientSession) -> None:
    """Until it trades by a model, was backed up, is watched, and nothing of what is to come fires."""
    start_s = CLOCK.monotonic_s()
    while not (await counted(there, CHAMPIONS) and await counted(there, BACKED_UP) and await watched(there, http)):
        assert there.all_run(), there.words()
        assert CLOCK.monotonic_s() - start_s < STARTED_S_MAX, there.words()
        await asyncio.sleep(1)


async def cycles_later(there: Installation, http: aiohttp.ClientSession) -> Mapping[str, float]:
    await asyncio.sleep(STEADY_S)
    return await there.cycles(http)


async def undisturbed(
    there: Installation, http: aiohttp.ClientSession, before: Mapping[str, float], quiet: Mapping[str, float]
) -> None:
    """Without what watches it, it trades as before; all but the collector of traces come back by themselves."""
    alone = await cycles_later(there, http)
    assert {outcome for outcome in alone if alone[outcome] != quiet.get(outcome, 0.0)} == {"ok"}
    assert alone["ok"] - quiet["ok"] >= STEADY_S / AresConfig().trading.cycle_s - 1, "no cycle is left out"
    async with asyncio.timeout(STARTED_S_MAX):
        while len(there.watchers()) < WATCHERS or not await watched(there, http):
            await asyncio.sleep(1)
    sys.stdout.write(f"cycles in {STEADY_S} s: {quiet['ok'] - before['ok']:.0f} watched, ")
    sys.stdout.write(f"{alone['ok'] - quiet['ok']:.0f} while the watchers were dead\n")


async def watched(there: Installation, http: aiohttp.ClientSession) -> bool:
    try:
        return "Watchdog" in await there.firing(http)
    except aiohttp.ClientError:
        return False


async def counted(there: Installation, sql: str) -> int:
    try:
        async with await Database.connect(there.database, readonly=True) as database:
            row = await database.fetch_one(sql)
    except StoreError:
        return 0
    assert row is not None
    return as_int(row["n"])


def exchange_outage(there: Installation) -> Incident:
    """The exchange hangs: its lines stay open, and nothing comes."""

    async def inject() -> None:
        there.signal("exchange", signal.SIGSTOP)

    async def recover() -> None:
        there.signal("exchange", signal.SIGCONT)

    return Incident("exchange outage", "DataLate", told_s=150, over_s=90, inject=inject, recover=recover)


def database_outage(there: Installation) -> Incident:
    """QuestDB hangs."""

    async def inject() -> None:
        there.database_process().send_signal(signal.SIGSTOP)

    async def recover() -> None:
        there.database_process().send_signal(signal.SIGCONT)

    return Incident("database outage", "ServiceDown", told_s=120, over_s=90, inject=inject, recover=recover)


def drawdown(there: Installation) -> Incident:
    """An account that lost a tenth of its capital, and gets it back."""

    async def inject() -> None:
        await there.write((10 * MINUTE, equity_row(ACCOUNT, 11_000)), (1, equity_row(ACCOUNT, 10_000)))

    async def recover() -> None:
        await there.write((0, equity_row(ACCOUNT, 11_000)))

    return Incident("drawdown", "Drawdown", told_s=45, over_s=60, inject=inject, recover=recover, acts="HALTED")


def bad_model(there: Installation) -> Incident:
    """The champion's file is another one than was registered when the service that scores comes back."""
    kept = there.folder / "kept"

    def champion() -> Path:
        return max((there.folder / "models").glob("*/*.joblib"), key=lambda path: path.stat().st_mtime)

    async def inject() -> None:
        shutil.copy2(champion(), kept)
        with champion().open("ab") as file:
            file.write(b"x")
        there.signal("analytics", signal.SIGKILL)

    async def recover() -> None:
        kept.replace(champion())
        there.signal("analytics", signal.SIGKILL)

    return Incident("bad model", "ModelRefused", told_s=180, over_s=120, inject=inject, recover=recover)


def gap(there: Installation) -> Incident:
    """A range of trades that is missing and that nobody heals."""

    async def inject() -> None:
        await there.write((HOUR, gap_row("drill", 0, "open", HOUR)))

    async def recover() -> None:
        await there.write((0, gap_row("drill", 1, "healed", HOUR)))

    return Incident("gap", "GapsUnresolved", told_s=660, over_s=60, inject=inject, recover=recover)


def failed_backup(there: Installation) -> Incident:
    """The repository is away: something else lies in its place."""
    away = there.folder / "away"

    async def inject() -> None:
        there.repository.rename(away)
        there.repository.write_text("not a repository", encoding="utf-8")

    async def recover() -> None:
        there.repository.unlink()
        away.rename(there.repository)

    return Incident("failed backup", "BackupFailed", told_s=1_080, over_s=180, inject=inject, recover=recover)
