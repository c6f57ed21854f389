"""Hears Alertmanager's message of being alive, and says so when it stays away. It needs no database for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from alerting.receiver.events import HEARD, SILENT, PathHeard, PathSilent
from alerting.receiver.outside import Messenger
from ares.clock import NANOS_PER_SECOND, Clock
from ares.control import ControlStore, NewEvent, once_it_fits
from ares.errors import AresError
from ares.telemetry import get_logger, metrics

LOOK_S = 1.0
AGAIN_S = 60.0
"""Between two attempts to tell whoever could not be told."""
STREAM = "alert_path/alertmanager"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeadManParts:
    """`silent_s_max`: how long the message may stay away; `messenger`: who is told beside log and metric."""

    control: ControlStore
    clock: Clock
    silent_s_max: Callable[[], float]
    messenger: Messenger | None


class DeadMan:
    """The time counts from its start: where Alertmanager never comes up, that is said, too."""

    def __init__(self, parts: DeadManParts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._heard_s = parts.clock.monotonic_s()
        self.is_silent = False
        self._owed: str | None = None
        self._again_s = 0.0
        metrics.ALERT_PATH_SILENT.set(0)

    async def heard(self) -> None:
        """The message came."""
        silent_s = self._silent_s
        self._heard_s = self._clock.monotonic_s()
        metrics.ALERT_PATH_HEARD.set(self._clock.now_ns() / NANOS_PER_SECOND)
        if self.is_silent:
            self.is_silent = False
            metrics.ALERT_PATH_SILENT.set(0)
            log.warning("alert_path_heard", silent_s=round(silent_s, 1))
            await self._note(HEARD.new(PathHeard(silent_s), self._clock.now_ns()))
            self._owe(f"alerts arrive again, after {silent_s:.0f} s of silence")

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Once: say what is to be said."""
        silent_s = self._silent_s
        if silent_s > self._parts.silent_s_max() and not self.is_silent:
            self.is_silent = True
            metrics.ALERT_PATH_SILENT.set(1)
            log.error("alert_path_silent", silent_s=round(silent_s, 1))
            self._owe(
                f"alerts are cut off: Alertmanager was not heard for {silent_s:.0f} s, nobody is told of anything"
            )
            await self._note(SILENT.new(PathSilent(silent_s), self._clock.now_ns()))
        await self._pay()

    @property
    def _silent_s(self) -> float:
        return self._clock.monotonic_s() - self._heard_s

    def _owe(self, text: str) -> None:
        """Only the newest is worth telling."""
        self._owed, self._again_s = text, 0.0

    async def _pay(self) -> None:
        if self._owed is None or self._parts.messenger is None or self._clock.monotonic_s() < self._again_s:
            return
        text = self._owed
        try:
            await self._parts.messenger.send({"text": f"Ares: {text}", "status": "silent" if self.is_silent else "ok"})
        except AresError as error:
            log.error("dead_man_not_told", cause=str(error))
            self._again_s = self._clock.monotonic_s() + AGAIN_S
            return
        if self._owed == text:
            self._owed = None

    async def _note(self, event: NewEvent) -> None:
        """For the record; a store that is away must not keep anybody from being told."""

        async def say() -> None:
            stored = await asyncio.to_thread(self._parts.control.read, STREAM)
            await asyncio.to_thread(self._parts.control.append, STREAM, [event], expected_seq=len(stored))

        try:
            await once_it_fits(STREAM, say)
        except AresError as error:
            log.error("alert_path_not_noted", cause=error.code)
