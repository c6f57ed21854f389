"""The receiver's memory: streams of the control store, so that it outlives the process and needs no database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from alerting.receiver.events import ACTED, ENDED, FIRED, REGISTRY, ActionOutcome, AlertActed, AlertEnded, AlertFired
from ares.clock import NANOS_PER_SECOND, Clock
from ares.control import AuditEntry, ControlStore, NewEvent, once_it_fits
from ares.events.types import Origin
from ares.model.alerts import AlertTold
from ares.telemetry import get_logger, metrics

ACTIONS = "alert_action/trader"
HOUR_NS = 3_600 * NANOS_PER_SECOND
TOOK = (ActionOutcome.DONE, ActionOutcome.LIMITED)
SETTLED = (*TOOK, ActionOutcome.REFUSED)
"""After these a firing is not acted upon again."""

log = get_logger(__name__)


class AlertJournal:
    """What was told and what was done. Every method raises `ControlUnavailable` if the store cannot be reached."""

    def __init__(self, control: ControlStore, clock: Clock) -> None:
        self._control = control
        self._clock = clock
        self._seq = 0
        self._settled: set[tuple[str, str]] = set()
        self._took: list[tuple[int, AlertActed]] = []

    async def note(self, told: AlertTold) -> bool:
        """Note a firing, or its end, once; False for what was noted already, and for an end of what never fired."""
        stream = f"alert/{told.fingerprint}"

        async def say() -> bool:
            stored = await asyncio.to_thread(self._control.read, stream)
            said = [REGISTRY.read(each).body for each in stored]
            fired = any(isinstance(each, AlertFired) and each.starts_at == told.starts_at for each in said)
            ended = any(isinstance(each, AlertEnded) and each.starts_at == told.starts_at for each in said)
            if fired if told.firing else (ended or not fired):
                return False
            await asyncio.to_thread(self._control.append, stream, [self._event(told)], expected_seq=len(stored))
            return True

        is_new = await once_it_fits(stream, say)
        if is_new:
            status = "firing" if told.firing else "resolved"
            metrics.ALERTS.labels(told.name, status).inc()
            log.warning("alert_noted", alert=told.name, status=status, summary=told.summary)
        return is_new

    async def is_settled(self, told: AlertTold) -> bool:
        """Whether this firing was acted upon."""
        await self._read_on()
        return (told.fingerprint, told.starts_at) in self._settled

    async def taken_within_hour(self) -> Sequence[AlertActed]:
        """What was done within the last hour."""
        await self._read_on()
        since_ns = self._clock.now_ns() - HOUR_NS
        self._took = [(ts_ns, each) for ts_ns, each in self._took if ts_ns > since_ns]
        return [each for _, each in self._took]

    async def acted(self, acted: AlertActed) -> None:
        """Note what became of an action, with an audit entry; committed when this returns."""
        now_ns = self._clock.now_ns()
        entry = AuditEntry(
            writer="alerts",
            who="alertmanager",
            what="alert_action",
            ts_ns=now_ns,
            after={"alert": acted.name, "action": acted.action, "outcome": acted.outcome.value},
            why=acted.detail,
        )
        event = ACTED.new(acted, now_ns, Origin(attributes={"alert": acted.name, "action": acted.action}))

        async def say() -> None:
            await self._read_on()
            await asyncio.to_thread(self._control.append, ACTIONS, [event], expected_seq=self._seq, audit=[entry])

        await once_it_fits(ACTIONS, say)
        metrics.ALERT_ACTIONS.labels(acted.action, acted.outcome.value).inc()
        log.warning("alert_acted", alert=acted.name, action=acted.action, outcome=acted.outcome.value)

    def _event(self, told: AlertTold) -> NewEvent:
        now_ns, origin = self._clock.now_ns(), Origin(attributes={"alert": told.name})
        if not told.firing:
            ended = AlertEnded(told.fingerprint, told.starts_at, told.ends_at, told.name, dict(told.labels))
            return ENDED.new(ended, now_ns, origin)
        labels = dict(told.labels)
        said = AlertFired(
            told.fingerprint,
            told.starts_at,
            told.name,
            labels.get("severity", ""),
            labels.get("team", ""),
            told.summary,
            labels,
        )
        return FIRED.new(said, now_ns, origin)

    async def _read_on(self) -> None:
        for stored in await asyncio.to_thread(self._control.read, ACTIONS, self._seq):
            said = REGISTRY.read(stored).body
            assert isinstance(said, AlertActed), "nothing else is in this stream"
            self._seq = stored.seq
            if said.outcome in SETTLED:
                self._settled.add((said.fingerprint, said.starts_at))
            if said.outcome in TOOK:
                self._took.append((stored.ts_ns, said))
