"""Asks the database the SQL alerts and tells Alertmanager, where no Grafana does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alerting.receiver.outside import Messenger
from alerting.sql_rules import RULES, SqlRule
from alerting.sql_standing import Firing, Labels, Standing, found
from ares.clock import NANOS_PER_SECOND, Clock, isoformat
from ares.config.settings import DatabaseConfig
from ares.control import Json
from ares.errors import AresError, StoreError, StoreRejected
from ares.store import Database
from ares.store.pool import Record
from ares.telemetry import get_logger

EVERY_S = 15.0
LASTS_S = 90
"""What fires ends by itself when it was not told again for so long: the asker is gone then."""
TELL_S_MAX = 5.0

log = get_logger(__name__)


class SqlAsker:
    """One look at all rules, again and again. `alertmanager`: its address, `http://host:port`."""

    def __init__(self, database: DatabaseConfig, alertmanager: str, clock: Clock) -> None:
        self._database = database
        self._alertmanager = Messenger("alertmanager", f"{alertmanager}/api/v2/alerts", TELL_S_MAX, clock)
        self._clock = clock
        self._standing = Standing()

    async def run(self) -> None:
        """Until cancelled. A database or an Alertmanager that is away ends nothing."""
        while True:
            await self.look()
            await self._clock.sleep(EVERY_S)

    async def look(self) -> None:
        """Ask all, tell what fires and what has ended."""
        answers = await self._ask()
        now_ns = self._clock.now_ns()
        holds = {labels: each for rule in RULES for labels, each in found(rule, answers[rule.name]).items()}
        firing, ended = self._standing.look(holds, now_ns)
        body = [*told(firing, now_ns + LASTS_S * NANOS_PER_SECOND), *told(ended, now_ns)]
        if body:
            await self._tell(body)

    async def _ask(self) -> Mapping[str, Sequence[Record] | None]:
        try:
            async with await Database.connect(self._database, readonly=True) as database:
                return {rule.name: await _answer(database, rule) for rule in RULES}
        except StoreError as error:  # what one statement waited for in vain the next ones need not wait for
            log.warning("sql_alerts_unanswered", cause=error.code)
            return {rule.name: None for rule in RULES}

    async def _tell(self, alerts: list[Json]) -> None:
        try:
            await self._alertmanager.send(alerts)
        except AresError as error:
            log.warning("sql_alerts_not_told", cause=str(error))


async def _answer(database: Database, rule: SqlRule) -> Sequence[Record] | None:
    try:
        return await database.fetch(rule.statement)
    except StoreRejected as error:
        log.error("sql_alert_refused", alert=rule.name, cause=str(error))
        return None


def told(firing: Mapping[Labels, Firing], ends_ns: int) -> list[Json]:
    """As Alertmanager's API v2 takes them."""
    return [
        {
            "labels": dict(labels),
            "annotations": {"summary": each.finding.summary, "runbook": each.finding.runbook},
            "startsAt": isoformat(each.began_ns),
            "endsAt": isoformat(ends_ns),
        }
        for labels, each in firing.items()
    ]
