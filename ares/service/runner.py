"""Runs one service in this process: probes, heartbeats, signals, an orderly stop."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ares.config import AresConfig, ConfigSource
from ares.config.settings import ResourcesConfig
from ares.service.collection import pauses_measured, settle
from ares.service.heartbeat import Heartbeat
from ares.service.http import ProbeServer
from ares.service.lineage import recorded
from ares.service.logfiles import log_file, own_log_kept_small
from ares.service.reload import ConfigReloader
from ares.service.resources import apply_limits, limits_of
from ares.service.tracing import tracing
from ares.service.types import Reconfigurable, Service, ServiceContext, ServiceSpec
from ares.store.server import make_dir
from ares.telemetry import get_logger, set_level

PR_SET_PDEATHSIG = 1

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a service is run. `port`: of its probes, 0 takes any. `held`: wait, loaded and listening for probes, until
    standard input is closed (the supervisor's sign to begin). `source`: where changed settings are read again; without
    one they hold as they are.
    """

    port: int = 0
    held: bool = False
    source: ConfigSource | None = None


async def run_service(spec: ServiceSpec, context: ServiceContext, options: RunOptions) -> None:
    """Run until SIGTERM or SIGINT, then drain within `environment.stop_s_max`; SIGHUP reads the settings again.

    Raises what `start` or `run` raised; the caller turns it into an exit code.
    """
    make_dir(context.state_dir / "run")
    apply_limits(limits_of(context.config, spec.name), spec.name)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    service = spec.build(context)
    settings = _reloader(options.source, service, context)
    probes = ProbeServer(service, context.config.monitoring.host, options.port, settings)
    bound_port = await probes.start()
    name = named(spec.name, context.color)
    card = announce(context, name, bound_port)
    heartbeat = Heartbeat(spec, service, context, bound_port)
    try:
        if options.held:
            await _released(stopping)
        if not stopping.is_set():
            async with AsyncExitStack() as stack:
                stack.enter_context(tracing(spec.name, context))
                stack.enter_context(pauses_measured())
                await stack.enter_async_context(own_log_kept_small(context, log_file(context.state_dir, name)))
                await stack.enter_async_context(settings.following() if settings else nullcontext())
                log.info("service_starting", name=spec.name, pid=os.getpid(), port=bound_port)
                await stack.enter_async_context(recorded(spec, context))
                await _run_until(stopping, service, heartbeat, context.config.resources)
    finally:
        await _stop(spec, service, context)
        await heartbeat.last()
        await probes.stop()
        card.unlink(missing_ok=True)


def _reloader(source: ConfigSource | None, service: Service, context: ServiceContext) -> ConfigReloader | None:
    if source is None:
        return None

    def apply(config: AresConfig) -> None:
        set_level(config.environment.log_level)
        if isinstance(service, Reconfigurable):
            service.reconfigure(config)

    return ConfigReloader(source, context, apply)


async def _released(stopping: asyncio.Event) -> None:
    """Return when standard input ends or the process is told to stop."""
    loop = asyncio.get_running_loop()
    released = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), released.set)
    waits = [asyncio.create_task(event.wait()) for event in (released, stopping)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(sys.stdin.fileno())
        for wait in waits:
            wait.cancel()


async def _run_until(
    stopping: asyncio.Event, service: Service, heartbeat: Heartbeat, resources: ResourcesConfig
) -> None:
    work = asyncio.create_task(_start_and_run(service, resources), name="work")
    beats = asyncio.create_task(heartbeat.run(), name="heartbeat")
    stop = asyncio.create_task(stopping.wait(), name="stop")
    try:
        done, _ = await asyncio.wait({work, beats, stop}, return_when=asyncio.FIRST_COMPLETED)
        if beats in done:
            beats.result()
        if work in done:
            work.result()
            raise AssertionError("Service.run() returned; it must last until it is cancelled")
    finally:
        for task in (work, beats, stop):
            task.cancel()
        await asyncio.gather(work, beats, stop, return_exceptions=True)


async def _start_and_run(service: Service, resources: ResourcesConfig) -> None:
    await service.start()
    settle(resources)
    log.info("service_started")
    await service.run()


async def _stop(spec: ServiceSpec, service: Service, context: ServiceContext) -> None:
    try:
        async with asyncio.timeout(context.config.environment.stop_s_max):
            await service.stop()
        log.info("service_stopped", name=spec.name)
    except TimeoutError:
        log.error("service_stop_timed_out", name=spec.name, seconds=context.config.environment.stop_s_max)


def named(service: str, color: str) -> str:
    """What a process is called in the state directory: two of one service are told apart by their colours."""
    return f"{service}-{color}" if color else service


def announce(context: ServiceContext, name: str, port: int) -> Path:
    """Leave a card in the state directory that says where this process serves its probes."""
    card = context.state_dir / "run" / f"{name}.json"
    card.write_text(json.dumps({"pid": os.getpid(), "port": port, "instance": context.instance}), encoding="utf-8")
    return card


def end_with_parent() -> None:
    """Ask Linux to send SIGTERM when the supervisor dies, so that kill -9 of it leaves no orphans.

    And survive a SIGHUP that comes before we can take it for what it means, a wish to reload.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def ended(child: asyncio.subprocess.Process, patience_s: float) -> int:
    """Its exit code, once it is reaped: asked to end if it runs yet, and by force `patience_s` later."""
    if child.returncode is None:
        child.terminate()
        try:
            async with asyncio.timeout(patience_s):
                await child.wait()
        except TimeoutError:
            child.kill()
    return await child.wait()
