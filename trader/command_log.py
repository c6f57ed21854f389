"""What commands leave behind: rows in `commands` when one comes and when it is done, an audit entry, a log line."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import orjson

from ares.clock import Clock
from ares.control import AuditEntry, ControlStore, Json, once_it_fits
from ares.errors import AresError
from ares.model.row import Row
from ares.telemetry import correlation, get_logger, observability

log = get_logger(__name__)

Outcome = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Order:
    """Who orders, and why."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Command:
    """What is ordered, by whom, with which arguments. `audited`: what it changes is not audited by itself."""

    name: str
    order: Order
    arguments: Mapping[str, Json] = field(default_factory=dict)
    audited: bool = False


class CommandLog:
    """Records commands of one account. Raises `ControlUnavailable` if nothing can be written."""

    def __init__(self, control: ControlStore, account: str, clock: Clock) -> None:
        self._control = control
        self._account = account
        self._clock = clock

    async def recorded(self, command: Command, work: Callable[[str], Awaitable[Outcome]]) -> Outcome:
        """Carry a command out by `work`, which is given the command's id; its error is recorded and raised."""
        command_id = f"{command.name}-{uuid.uuid4().hex}"
        if command.audited:
            await self._audit(command)
        await self._row(command_id, command, "received", None)
        with correlation(command_id), observability.track("command", command=command.name):
            log.warning(
                "command_received", command=command.name, actor=command.order.actor, reason=command.order.reason
            )
            try:
                outcome = await work(command_id)
            except AresError as error:
                await self._row(command_id, command, "failed", {"error": error.code, "message": str(error)})
                raise
            await self._row(command_id, command, "done", outcome)
            log.warning("command_done", command=command.name, outcome=dict(outcome))
        return {"command_id": command_id, **outcome}

    async def _audit(self, command: Command) -> None:
        entry = AuditEntry(
            writer=f"trader/{self._account}",
            who=command.order.actor,
            what=f"command/{command.name}",
            ts_ns=self._clock.now_ns(),
            after=command.arguments,
            why=command.order.reason,
        )
        await once_it_fits(f"audit/{entry.writer}", lambda: asyncio.to_thread(self._control.audit, [entry]))

    async def _row(self, command_id: str, command: Command, status: str, outcome: Outcome | None) -> None:
        arguments = {"reason": command.order.reason, **command.arguments}
        row = Row(
            "commands",
            self._clock.now_ns(),
            {"account": self._account, "actor": command.order.actor, "command": command.name, "status": status},
            {
                "command_id": command_id,
                "seq": 0 if outcome is None else 1,
                "arguments": orjson.dumps(arguments).decode(),
                "outcome": None if outcome is None else orjson.dumps(outcome).decode(),
            },
        )
        await asyncio.to_thread(self._control.mirror, [row])
