"""What lies outside of a trader and must be right before it takes over: the database's schema, clocks, alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohttp

from ares.clock import Clock
from ares.config import AresConfig
from ares.control import ControlStore
from ares.control.mirror import CURSOR
from ares.errors import StoreError
from ares.service.doctor import Finding
from ares.service.doctor import findings as judge
from ares.service.doctor.probes import venue_clock
from ares.service.timekeeping import clock_synchronised
from ares.store import Database
from ares.store.health import storage_health
from ares.store.migrate import pending_migrations
from ares.store.migrations import PRE

ASK_S_MAX = 3.0
PAGE = "page"
"""The severity that wakes people up."""
BEHIND_ROWS_WARN = 10_000
"""Rows on their way to QuestDB: what people see of the trader is older than they think."""


class Outside(Protocol):
    """Looks around."""

    async def findings(self) -> Sequence[Finding]: ...


class Nothing:
    """There is nothing outside: a backtest, a test of the trader alone."""

    async def findings(self) -> Sequence[Finding]:
        return ()


NOTHING_OUTSIDE = Nothing()


class Surroundings:
    """What the settings lead to. `config`: as it is now."""

    def __init__(self, config: Callable[[], AresConfig], control: ControlStore, clock: Clock) -> None:
        self._config = config
        self._control = control
        self._clock = clock

    async def findings(self) -> Sequence[Finding]:
        """Every check once, within some seconds. Raises `ControlUnavailable`."""
        config = self._config()
        schema, clock, alerts, behind = await asyncio.gather(
            self._database(config),
            asyncio.to_thread(venue_clock, config, self._clock),
            self._alerts(config),
            asyncio.to_thread(lambda: self._control.outbox_end() - self._control.cursor(CURSOR)),
        )
        return [*schema, mirror(behind), clock, judge.clock_kept(clock_synchronised()), alerts]

    async def _database(self, config: AresConfig) -> Sequence[Finding]:
        try:
            async with asyncio.timeout(ASK_S_MAX), await Database.connect(config.database, readonly=True) as database:
                waiting = [each.name for each in await pending_migrations(database) if each.phase == PRE]
                return [schema(waiting), *judge.storage(await storage_health(database))]
        except (StoreError, TimeoutError) as error:
            return [Finding("schema", "fail", str(error) or "no answer", "See its log: <state_dir>/questdb/log")]

    async def _alerts(self, config: AresConfig) -> Finding:
        """Of the Alertmanager beside us, where one runs."""
        url = f"http://127.0.0.1:{config.alerting.alertmanager_port}/api/v2/alerts"
        query = {"active": "true", "silenced": "false", "inhibited": "false"}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_S_MAX)) as http,
                http.get(url, params=query) as answer,
            ):
                told = await answer.json()
            names = {str(each["labels"]["alertname"]) for each in told if each["labels"].get("severity") == PAGE}
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            return Finding("alerts", "skip", f"no Alertmanager answers at {url}: {type(error).__name__}")
        return alerts(sorted(names))


def schema(waiting: Sequence[str]) -> Finding:
    """Whether the database has what this release writes and reads."""
    if waiting:
        return Finding("schema", "fail", f"not run yet: {', '.join(waiting)}", "ares db migrate")
    return Finding("schema", "ok", "no pre migration waits")


def mirror(behind: int) -> Finding:
    """Whether the rows of the control store get to the database."""
    observed = f"{max(0, behind)} rows on their way"
    if behind > BEHIND_ROWS_WARN:
        return Finding("mirror", "warn", observed, "See `ares status`: does the service mirror run?")
    return Finding("mirror", "ok", observed)


def alerts(firing: Sequence[str]) -> Finding:
    """Whether somebody is being woken up."""
    if firing:
        return Finding("alerts", "fail", f"firing: {', '.join(firing)}", "See their runbooks, or --despite alerts")
    return Finding("alerts", "ok", "none that pages is firing")
