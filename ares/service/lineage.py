"""Records what was made from what: rows of `lineage` through the outbox, OpenLineage events for whoever wants them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ares.clock import Clock
from ares.config.lineage import LineageConfig
from ares.control import ControlStore
from ares.errors import AresError, OperatingError
from ares.model.lineage import Made, rows_of, run_of
from ares.service.openlineage import run_event, tell
from ares.service.types import ServiceContext, ServiceSpec
from ares.telemetry import get_logger

log = get_logger(__name__)


async def record(
    control: ControlStore, config: LineageConfig, job: str, run: tuple[str, int], made: Sequence[Made], *, clock: Clock
) -> None:
    """Record what a run (its id, when it ended in UTC ns) made. Raises `ControlUnavailable`.

    The rows are kept before anybody else is told; an event that nobody takes is logged and lost.
    """
    if not made:
        return
    run_id, ts_ns = run
    await asyncio.to_thread(control.mirror, rows_of(job, run_id, ts_ns, made))
    await publish(config, job, run, made, clock=clock)


async def publish(config: LineageConfig, job: str, run: tuple[str, int], made: Sequence[Made], *, clock: Clock) -> None:
    """Tell others what is recorded already."""
    if not made or config.openlineage_url is None:
        return
    run_id, ts_ns = run
    try:
        await tell(config, [run_event(config.openlineage_namespace, job, run_id, ts_ns, made)], clock)
    except OperatingError as error:
        log.warning("lineage_event_lost", job=job, run_id=run_id, cause=str(error))


@asynccontextmanager
async def recorded(spec: ServiceSpec, context: ServiceContext) -> AsyncIterator[None]:
    """Say once, beside the block, what a service makes as it is configured now: its start does not wait for that."""
    saying = asyncio.create_task(note(context, spec.name, spec.makes(context.config)), name="lineage")
    try:
        yield
    finally:
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)


async def note(context: ServiceContext, job: str, made: Sequence[Made], run_id: str = "") -> None:
    """`record` for steady work, which lineage is worth having for but not worth stopping for."""
    if not made:
        return
    try:
        control = await asyncio.to_thread(ControlStore.open, context.control_url)
        try:
            run = (run_id or run_of(job, made), context.clock.now_ns())
            await record(control, context.config.lineage, job, run, made, clock=context.clock)
        finally:
            control.close()
    except AresError as error:
        log.warning("lineage_not_recorded", job=job, cause=error.code)
