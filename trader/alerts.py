"""Alerts that stop trading: which of what Alertmanager's webhook tells asks for it, and what was acted upon already."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ares.control import ControlStore, once_it_fits
from ares.events.types import Origin
from ares.model.alerts import AlertTold, alerts_told
from trader.events import ALERTED, REGISTRY, AlertTaken
from trader.risk import TradingState

FLATTEN = "flatten"
ACTIONS = {"halt": TradingState.HALTED, "reduce": TradingState.REDUCING, FLATTEN: TradingState.HALTED}
"""What the label `action` of an alert may ask for; alerts without it are for people alone."""
WORDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Alert:
    """A firing alert that asks for something. `fingerprint` names its labels, `starts_at` this firing of it."""

    fingerprint: str
    starts_at: str
    name: str
    action: str
    summary: str

    @property
    def reason(self) -> str:
        """The alert's name and what it says."""
        return f"{self.name}: {self.summary}"[:WORDS_MAX] if self.summary else self.name


def firing(body: bytes) -> list[Alert]:
    """The alerts of a notification that fire and ask for something. Raises ValueError naming what is wrong."""
    found = [_asks(told, f"alerts[{number}]") for number, told in enumerate(alerts_told(body))]
    return [alert for alert in found if alert is not None]


def _asks(told: AlertTold, where: str) -> Alert | None:
    if not told.firing or "action" not in told.labels:
        return None
    action = told.labels["action"]
    if action not in ACTIONS:
        raise ValueError(f"{where}.labels.action = {action!r}: not one of {', '.join(ACTIONS)}")
    if not told.fingerprint or not told.starts_at:
        raise ValueError(f"{where}: fingerprint and startsAt are expected")
    return Alert(told.fingerprint, told.starts_at, told.name, action, told.summary)


class AlertsTaken:
    """Stream `trading_alert/<account>`: which firings were acted upon, so that a repeated notification is none."""

    def __init__(self, control: ControlStore, account: str) -> None:
        self._control = control
        self._account = account
        self._stream = f"trading_alert/{account}"
        self._seq = 0
        self._taken: set[tuple[str, str]] = set()

    async def holds(self, alert: Alert) -> bool:
        """Whether this firing was acted upon."""
        for stored in await asyncio.to_thread(self._control.read, self._stream, self._seq):
            said = REGISTRY.read(stored).body
            assert isinstance(said, AlertTaken), "nothing else is in this stream"
            self._taken.add((said.fingerprint, said.starts_at))
            self._seq = stored.seq
        return (alert.fingerprint, alert.starts_at) in self._taken

    async def add(self, alert: Alert, now_ns: int) -> None:
        """Note that a firing was acted upon; committed when this returns."""
        said = AlertTaken(alert.fingerprint, alert.starts_at, alert.name, alert.action)
        event = ALERTED.new(said, now_ns, Origin(attributes={"account": self._account, "action": alert.action}))

        async def say() -> None:
            if not await self.holds(alert):
                await asyncio.to_thread(self._control.append, self._stream, [event], expected_seq=self._seq)

        await once_it_fits(self._stream, say)
