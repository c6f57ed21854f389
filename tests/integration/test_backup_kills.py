"""Backups that are killed: the backup itself, restic, QuestDB. No checkpoint stays, and the repository stays sound."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest

from tests.backups import Installation, installation
from tests.conftest import require_program
from tests.helpers import ROOT

KILLS = int(os.environ.get("ARES_TEST_BACKUP_KILLS", "3"))
VICTIMS = ("backup", "restic", "questdb")
MOMENTS_S = 2.0
"""So long one works from its beginning, and again from the moment when it has the checkpoint."""
COPY_KIB_S = "1536"
BEGUN_S_MAX = 60.0
SHARE_AT_WORK = 0.7


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    require_program("restic", "apt-get install restic")
    with installation(tmp_path_factory.mktemp("kills")) as running:
        yield running


def begun(there: Installation) -> subprocess.Popen[bytes]:
    """A backup in a process of its own, slow enough to be met at work."""
    child = subprocess.Popen(
        [sys.executable, "-m", "ares.cli", "backup", "run", "--kind", "market"],
        cwd=ROOT,
        env={**os.environ, **there.environ(), "ARES_BACKUP__UPLOAD_KIB_S_MAX": COPY_KIB_S},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until_s = time.monotonic() + BEGUN_S_MAX
    while not psutil.Process(child.pid).children(recursive=True) and child.poll() is None:
        assert time.monotonic() < until_s, "the backup never began"
        time.sleep(0.01)
    return child


async def at_work(there: Installation, child: subprocess.Popen[bytes]) -> None:
    """Wait until it has its checkpoint."""
    while await there.checkpoint() is None and child.poll() is None:
        await asyncio.sleep(0.02)


def kill(victim: str, child: subprocess.Popen[bytes], there: Installation) -> str:
    """Kill -9; what there is none of just now cannot be killed. Returns what was met."""
    held = asyncio.run(there.checkpoint()) is not None
    phase = "held" if held else "free"
    if victim == "backup":
        child.kill()
        return f"backup, {phase}"
    if victim == "questdb":
        server = there.server.running()
        process = server.process() if server else None
        assert process is not None
        process.kill()
        process.wait()
        return f"questdb, {phase}"
    for process in psutil.Process(child.pid).children(recursive=True) if child.poll() is None else []:
        if process.name() == "restic":
            process.kill()
            return f"restic, {phase}"
    return "restic, not at work"


async def test_whatever_is_killed_no_checkpoint_stays_and_the_next_backup_works(there: Installation) -> None:
    chance = random.Random(int(os.environ.get("ARES_TEST_SEED", "5")))
    met: Counter[str] = Counter()
    ended: Counter[int] = Counter()
    released_s = []
    for number in range(KILLS):
        await there.write(150_000)
        child = await asyncio.to_thread(begun, there)
        if chance.random() < SHARE_AT_WORK:
            await at_work(there, child)
        await asyncio.sleep(chance.uniform(0, MOMENTS_S))
        met[await asyncio.to_thread(kill, VICTIMS[number % len(VICTIMS)], child, there)] += 1
        await asyncio.to_thread(there.server.start)
        ended[await asyncio.to_thread(child.wait, 60)] += 1
        began_s = time.monotonic()
        await there.released()
        released_s.append(time.monotonic() - began_s)
        async with there.backups() as (backups, _):
            await backups.run("market")
            await backups.check(read_all=number == KILLS - 1)
        assert await there.checkpoint() is None
    sys.stdout.write(f"met {dict(met)}, exit codes {dict(ended)}, released after {max(released_s):.2f} s at most\n")
    assert not [each for each in psutil.process_iter() if each.name() == "restic" and each.ppid() == os.getpid()]
