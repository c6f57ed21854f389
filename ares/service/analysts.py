"""Keeps people's statements from taking the database away from trading: cancels what runs too long, is too much.

QuestDB has no quotas. What Ares itself sends says so at its end and has a deadline of its own; all the rest counts here
as somebody's question: of a notebook, psql, Grafana, the console, `ares db sql`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ares.clock import Clock
from ares.config.analysts import AnalystsConfig
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore, until_it_fits
from ares.errors import ControlUnavailable, SequenceConflict, StoreError
from ares.events import EventType
from ares.store.running import Running, RunningStatements
from ares.telemetry import get_logger, metrics

STREAM = "analysts"
TEXT_MAX = 500
AWAY_S = 5.0

Cause = Literal["too_long", "too_many", "too_much_memory"]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StatementCancelled:
    """A statement of a person was cancelled: what was observed of it, the limit and their unit, and its beginning."""

    cause: str
    observed: str
    limit: str
    unit: str
    seconds: str
    statement: str


CANCELLED = EventType(
    "analysts",
    "statement_cancelled",
    StatementCancelled("too_long", "30.2", "30", "s", "30.2", "SELECT count() FROM …"),
)
TYPES = (CANCELLED,)


class Verdict(NamedTuple):
    """A statement to cancel, and why."""

    statement: Running
    cause: Cause
    observed: float
    limit: float
    unit: str


def verdicts(running: Sequence[Running], held_mb: float, limits: AnalystsConfig) -> Iterator[Verdict]:
    """Which of the statements that run (oldest first) are to be cancelled now. Pure.

    Memory is known only of all statements together: so the oldest suspect goes first, one at a look.
    """
    theirs = [each for each in running if not each.is_ours]
    long = [each for each in theirs if each.seconds > limits.statement_s_max]
    for each in long:
        yield Verdict(each, "too_long", each.seconds, limits.statement_s_max, "s")
    rest = [each for each in theirs if each not in long]
    for each in rest[limits.statements_max :]:
        yield Verdict(each, "too_many", len(theirs), limits.statements_max, "statements")
    kept = rest[: limits.statements_max]
    if kept and not long and held_mb > limits.memory_mb_max:
        yield Verdict(kept[0], "too_much_memory", held_mb, limits.memory_mb_max, "MiB")


@dataclass(slots=True)
class StatementGuard:
    """Looks every `analysts.watch_s`. Without a database there is nothing to guard; it goes on when there is one."""

    database: DatabaseConfig
    limits: AnalystsConfig
    clock: Clock
    control: ControlStore
    _cancelled: set[int] = field(default_factory=set)
    _seq: int = 0
    _away: bool = False

    async def run(self) -> None:
        """Guard until cancelled."""
        there = RunningStatements(self.database)
        while True:
            try:
                await self.look(there)
                self._away = False
                await self.clock.sleep(self.limits.watch_s)
            except StoreError as error:
                if not self._away:
                    log.warning("statements_not_watched", cause=str(error))
                self._away = True
                await self.clock.sleep(AWAY_S)

    async def look(self, there: RunningStatements) -> list[Verdict]:
        """Once: what was cancelled. Raises `StoreUnavailable`, `StoreRejected`."""
        running, held_mb = await asyncio.to_thread(seen, there)
        theirs = [each for each in running if not each.is_ours]
        metrics.ANALYST_STATEMENTS.set(len(theirs))
        metrics.ANALYST_MEMORY_MB.set(held_mb)
        self._cancelled &= {each.query_id for each in theirs}
        done = []
        held_mb = 0.0 if self._cancelled else held_mb  # what is being given back is not asked for again
        for verdict in verdicts(self._still(running), held_mb, self.limits):
            if await asyncio.to_thread(there.cancel, verdict.statement.query_id):
                self._cancelled.add(verdict.statement.query_id)
                await self._tell(verdict)
                done.append(verdict)
        return done

    def _still(self, running: Iterable[Running]) -> list[Running]:
        """Without those that were cancelled and did not look up yet."""
        return [each for each in running if each.query_id not in self._cancelled]

    async def _tell(self, verdict: Verdict) -> None:
        metrics.ANALYST_CANCELLED.labels(verdict.cause).inc()
        said = told(verdict)
        log.warning("statement_cancelled", **said)
        try:
            await asyncio.to_thread(until_it_fits, STREAM, lambda: self._append(StatementCancelled(**said)))
        except (ControlUnavailable, SequenceConflict) as error:
            log.error("cancellation_not_recorded", cause=str(error))

    def _append(self, said: StatementCancelled) -> None:
        for event in self.control.stream(STREAM, self._seq):
            self._seq = event.seq
        self.control.append(STREAM, [CANCELLED.new(said, self.clock.now_ns())], expected_seq=self._seq)


def seen(there: RunningStatements) -> tuple[Sequence[Running], float]:
    """What runs and what it holds. Raises `StoreUnavailable`, `StoreRejected`."""
    running = there.now()
    return running, there.held_mb()


def told(verdict: Verdict) -> Mapping[str, str]:
    """A verdict as rows and logs have it."""
    text = " ".join(verdict.statement.text.split())
    return {
        "cause": verdict.cause,
        "observed": f"{verdict.observed:.3g}",
        "limit": f"{verdict.limit:g}",
        "unit": verdict.unit,
        "seconds": f"{verdict.statement.seconds:.1f}",
        "statement": text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…",
    }
