"""From firing alerts to what the trader is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from alerting.receiver.events import ActionOutcome, AlertActed
from alerting.receiver.journal import AlertJournal
from ares.clock import Clock
from ares.config.alerting import AlertingConfig
from ares.errors import AresError
from ares.model.alerts import AlertTold
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)


class RiskActions(Protocol):
    """Who carries out what an alert asks for."""

    async def take(self, told: AlertTold, action: str) -> str:
        """Do it, once for each firing, and say in which state that left trading. Raises `AresError`."""
        ...


def action_of(config: AlertingConfig, name: str, taken: Sequence[AlertActed]) -> tuple[str, ActionOutcome] | None:
    """What an alert of this name means after what was done within the hour; None where it is for people alone.

    More actions than the limit are not understood by anybody, and an alert that was cut off might have been the one
    that mattered: the first one too many halts, which holds until a person resumes; the next are only noted.
    """
    action = config.actions.get(name)
    if action is None:
        return None
    if len(taken) < config.actions_per_hour_max:
        return action, ActionOutcome.DONE
    if any(each.outcome is ActionOutcome.LIMITED for each in taken):
        return action, ActionOutcome.REFUSED
    return "halt", ActionOutcome.LIMITED


class AlertActions:
    """Notes every alert and does what chosen ones mean."""

    def __init__(
        self, journal: AlertJournal, trader: RiskActions, config: Callable[[], AlertingConfig], clock: Clock
    ) -> None:
        self._journal = journal
        self._trader = trader
        self._config = config
        self._clock = clock

    async def take(self, alerts: Sequence[AlertTold]) -> bool:
        """Whether all that was asked for is done; else the notification is to be told again.

        Raises `ControlUnavailable`: then nobody knows what was done, and it is to be told again, too.
        """
        began_s = self._clock.monotonic_s()
        outcomes = [await self._one(told, began_s) for told in alerts]
        return ActionOutcome.FAILED not in outcomes

    async def _one(self, told: AlertTold, began_s: float) -> ActionOutcome | None:
        await self._journal.note(told)
        if not told.firing or await self._journal.is_settled(told):
            return None
        meant = action_of(self._config(), told.name, await self._journal.taken_within_hour())
        if meant is None:
            return None
        action, outcome = meant
        detail = f"more than {self._config().actions_per_hour_max} actions within the hour"
        if outcome is not ActionOutcome.REFUSED:
            try:
                detail = f"the trader is {await self._trader.take(told, action)}"
            except AresError as error:
                log.error("alert_action_failed", alert=told.name, action=action, cause=error.code)
                outcome, detail = ActionOutcome.FAILED, str(error)
            else:
                metrics.ALERT_ACTION_SECONDS.observe(self._clock.monotonic_s() - began_s)
        acted = AlertActed(told.fingerprint, told.starts_at, told.name, action, outcome, detail, dict(told.labels))
        await self._journal.acted(acted)
        return outcome
