"""Every few seconds a running service tells that it is there, how it is, what it offers: a row through the outbox."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import asdict

import orjson

from ares import __version__
from ares.control import ControlStore
from ares.errors import AresError
from ares.model.row import Row
from ares.service.collection import tell_pauses
from ares.service.machine import tell_machine
from ares.service.maintenance import Maintenance
from ares.service.resources import ResourceWatch, Usage, limits_of
from ares.service.types import Service, ServiceContext, ServiceSpec
from ares.store.migrations import schema_level
from ares.telemetry import get_logger, metrics

STOPPED = "stopped"

log = get_logger(__name__)


class Heartbeat:
    """The beats of one process. A beat that cannot be written is logged and never stops the work."""

    def __init__(self, spec: ServiceSpec, service: Service, context: ServiceContext, port: int) -> None:
        self._resources = ResourceWatch(limits_of(context.config, spec.name))
        self._spec = spec
        self._service = service
        self._context = context
        self._port = port
        self._schema_level = schema_level()

    async def run(self) -> None:
        """Beat until cancelled.

        Raises `OverMemory` when the process has outgrown its limit, `ControlUnavailable` if the control store cannot
        be opened at all.
        """
        control = await asyncio.to_thread(ControlStore.open, self._context.control_url)
        maintenance = Maintenance(control, self._context.clock)
        try:
            while True:
                health = self._service.health()
                usage = self._resources.measure()
                tell_pauses()
                tell_machine(self._context.state_dir)
                await self._beat(control, "ready" if health.ready else "not_ready", health.detail, usage)
                await self._look_for_maintenance(maintenance)
                self._resources.require_within(usage)
                await self._context.clock.sleep(self._context.config.monitoring.heartbeat_s)
        finally:
            control.close()

    async def last(self) -> None:
        """Say that this was an orderly end, so that nobody waits for the next beat."""
        try:
            control = await asyncio.to_thread(ControlStore.open, self._context.control_url)
        except AresError as error:
            log.warning("heartbeat_missed", cause=error.code)
            return
        await self._beat(control, STOPPED, "", self._resources.measure())
        control.close()

    async def _beat(self, control: ControlStore, state: str, detail: str, usage: Usage) -> None:
        offered = [{"name": c.name, "labels": dict(c.labels)} for c in self._spec.provides(self._context.config)]
        row = Row(
            "services",
            self._context.clock.now_ns(),
            {
                "service": self._spec.name,
                "instance": self._context.instance,
                "state": state,
                "version": __version__,
                "host": socket.gethostname(),
            },
            {
                "pid": os.getpid(),
                "port": self._port,
                "detail": detail,
                "capabilities": orjson.dumps(offered).decode(),
                "schema_level": self._schema_level,
                **asdict(usage),
            },
        )
        try:
            await asyncio.to_thread(control.mirror, [row])
        except AresError as error:
            log.warning("heartbeat_missed", cause=error.code)

    @staticmethod
    async def _look_for_maintenance(maintenance: Maintenance) -> None:
        try:
            window = await asyncio.to_thread(maintenance.current)
        except AresError as error:
            log.warning("maintenance_not_seen", cause=error.code)
        else:
            metrics.MAINTENANCE.set(0 if window is None else 1)
