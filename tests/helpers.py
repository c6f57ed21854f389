"""What tests of several files do the same way."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NoReturn, TypeVar
from unittest.mock import patch

import pytest

from ares.cli import main
from ares.config.settings import DatabaseConfig
from ares.model.market import Trade, TradeRun
from ares.service.types import Service

ROOT = Path(__file__).resolve().parents[1]
S = TypeVar("S", bound=Service)


def missing(what: str) -> NoReturn:
    """Skip a test on a user's machine for what is not there; in CI that is a failure."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)


def run_of(trades: Sequence[Trade]) -> TradeRun:
    """Trades of one symbol in columns."""
    names = ("seq", "side", "price", "amount", "ts_ns", "received_at_ns")
    columns = [[getattr(trade, name) for trade in trades] for name in names]
    return TradeRun(trades[0].venue, trades[0].symbol, trades[0].source, *columns)


async def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until it holds. It is asked in a thread: one that blocks must not hold up what it waits for."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(service: S) -> AsyncIterator[S]:
    """A service at work; stopped with the block, after a failed start too."""
    try:
        await service.start()
        work = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
    finally:
        await service.stop()


def ares(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the real command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "ares.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def typed(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the real command line in this process, which imported long ago what a process of its own begins with."""
    command, said, errors = ["ares", *arguments], io.StringIO(), io.StringIO()
    environment = {"COLUMNS": "200", "NO_COLOR": "1", **variables}
    with (
        patch.dict(os.environ, environment), patch.object(sys, "argv", command), chdir(ROOT),
        redirect_stdout(said), redirect_stderr(errors), pytest.raises(SystemExit) as ended,
    ):  # fmt: skip
        main()
    assert isinstance(ended.value.code, int)
    return subprocess.CompletedProcess(command, ended.value.code, said.getvalue(), errors.getvalue())


def settings_file(folder: Path, database: DatabaseConfig, venue: str, more: str = "") -> Path:
    """Settings by which a command means this QuestDB, a venue of a test's own and a state of its own.

    `more` follows what stands under [ingest].
    """
    path = folder / "own.toml"
    path.write_text(
        f"[environment]\nstate_dir = '{folder}'\n"
        f"[database]\nhttp_port = {database.http_port}\npg_port = {database.pg_port}\n"
        f"[ingest]\nvenue = '{venue}'\n{more}",
        encoding="utf-8",
    )
    return path
