"""Carries errands out, so many at once, each in a process of its own; says how far they are and what became of them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ares.control import ControlStore
from ares.control.errands import End, Errand, ErrandStore, Hold
from ares.errors import AresError, ControlUnavailable, LeaseLost, UsageError
from ares.model.progress import Progress
from ares.redaction import redact
from ares.security.access.users import Users
from ares.service.errands.asker import VARIABLE, Pass
from ares.service.errands.child import Child
from ares.service.errands.spec import ErrandSpec, Place, may, reports_dir
from ares.service.types import ServiceContext
from ares.store.server import make_dir
from ares.telemetry import get_logger

log = get_logger(__name__)

LOOK_S = 0.5
TOLD_S = 1.0
"""Progress is kept no more often, for each is a row."""

Specs = Callable[[str], ErrandSpec]


@dataclass(slots=True)
class _Heard:
    """What a child said last of its progress, and what of that was kept."""

    spec: ErrandSpec
    newest: Progress | None = None
    kept: Progress | None = None

    def __call__(self, line: str) -> bool:
        said = self.spec.progress(line)
        self.newest = said or self.newest
        return said is not None

    def news(self) -> Progress | None:
        """What is to be kept: another stage, or a hundredth more."""
        if self.newest is None or self.newest == self.kept:
            return None
        if self.kept is not None and self.kept.stage == self.newest.stage:
            before, now = self.kept.share or 0.0, self.newest.share or 0.0
            if now - before < 0.01:
                return None
        return self.newest


class ErrandRunner:
    """Takes what waits and sees it through. `run` lasts until it is cancelled, and then ends what it has begun."""

    def __init__(self, context: ServiceContext, control: ControlStore, specs: Specs) -> None:
        self._context = context
        self._store = ErrandStore(control)
        self._users = Users(control, context.clock)
        self._specs = specs
        self._hold = Hold(f"{context.instance} {uuid.uuid4().hex[:8]}", context.config.errands.held_s)
        self._reports = reports_dir(context.state_dir)
        self._carried: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look for errands again and again; a control store that is away is asked ever again."""
        await asyncio.to_thread(make_dir, self._reports)
        try:
            while True:
                try:
                    await self._look()
                except ControlUnavailable as error:
                    log.warning("errands_wait_for_control_store", cause=str(error))
                await self._context.clock.sleep(LOOK_S)
        finally:
            for task in self._carried.values():
                task.cancel()
            await asyncio.gather(*self._carried.values(), return_exceptions=True)

    async def _look(self) -> None:
        config, now_ns = self._context.config.errands, self._context.clock.now_ns()
        for errand in await asyncio.to_thread(self._store.give_up, self._hold.runner, now_ns, config.wait_s_max):
            log.warning("errand_given_up", errand=errand.id, kind=errand.wish.kind, state=errand.state)
        for errand in await asyncio.to_thread(self._store.open):
            if len(self._carried) >= config.at_once_max:
                return
            if errand.state == "asked":
                await self._take(errand)

    async def _take(self, errand: Errand) -> None:
        shown, now_ns = Pass.new(errand.id), self._context.clock.now_ns()
        taken = await asyncio.to_thread(self._store.take, errand.id, self._hold, shown.hash, now_ns)
        if taken is None:
            return
        log.info("errand_begun", errand=errand.id, kind=errand.wish.kind, asked_by=errand.wish.asked_by)
        task = asyncio.create_task(self._see_through(taken, shown), name=f"errand {errand.id}")
        self._carried[errand.id] = task
        task.add_done_callback(lambda _: self._carried.pop(errand.id, None))

    async def _see_through(self, errand: Errand, shown: Pass) -> None:
        """Carry one out, whatever comes of it: its end is kept, or it is not ours any more."""
        try:
            end = await self._carried_out(errand, shown)
        except LeaseLost:
            log.error("errand_lost", errand=errand.id, kind=errand.wish.kind)
            return
        except (AresError, OSError) as refused:
            end = End("failed", error=redact(str(refused)))
        except asyncio.CancelledError:
            await self._end(errand, End("failed", error="its runner was stopped. Ask again"))
            raise
        while not await self._end(errand, end):
            await self._context.clock.sleep(LOOK_S)

    async def _carried_out(self, errand: Errand, shown: Pass) -> End:
        spec = self._specs(errand.wish.kind)
        arguments = spec.kept(errand.wish.arguments)
        user = await asyncio.to_thread(self._users.find, errand.wish.asked_by)
        if not may(user, spec, arguments, self._context.config.trading.account):
            raise UsageError(f"{user.name} may not have this done any more")
        heard = _Heard(spec)
        child = await Child.start(arguments.command(Place(errand.id, self._reports)), self._environ(shown), heard)
        limit_s = self._context.config.errands.limits_s.get(spec.name, spec.limit_s)
        try:
            why = await self._watched(errand, child, heard, limit_s)
        finally:
            await child.stop(self._context.config.errands.stop_s_max)
        with suppress(ControlUnavailable):
            await self._tell(errand, heard)
        return why if why is not None else await child.said()

    async def _watched(self, errand: Errand, child: Child, heard: _Heard, limit_s: float) -> End | None:
        """None once the child ended by itself; else why it is to be ended. Raises `LeaseLost`."""
        clock = self._context.clock
        began_s = told_s = clock.monotonic_s()
        while not await child.over(LOOK_S):
            now_s = clock.monotonic_s()
            if now_s - began_s > limit_s:
                return End("failed", error=f"took longer than {limit_s:.0f} s (errands.limits_s), and was ended")
            try:
                now = await asyncio.to_thread(self._store.renew, errand.id, self._hold, clock.now_ns())
                if now_s - told_s >= TOLD_S:
                    await self._tell(errand, heard)
                    told_s = now_s
            except ControlUnavailable as error:
                log.warning("errand_goes_on_unsaid", errand=errand.id, cause=str(error))
                continue
            if now.state == "cancelling":
                return End("cancelled", error=f"cancelled by {now.who}")
        return None

    async def _tell(self, errand: Errand, heard: _Heard) -> None:
        """Keep how far it is, if that is news. Raises `LeaseLost`."""
        news = heard.news()
        if news is not None:
            now_ns = self._context.clock.now_ns()
            await asyncio.to_thread(self._store.tell, errand.id, self._hold, now_ns, news.stage, news.share)
            heard.kept = news

    async def _end(self, errand: Errand, end: End) -> bool:
        """Keep what became of it; False while the control store is away."""
        now_ns = self._context.clock.now_ns()
        try:
            await asyncio.to_thread(self._store.end, errand.id, self._hold, now_ns, end)
        except ControlUnavailable as away:
            log.warning("errand_end_not_kept", errand=errand.id, cause=str(away))
            return False
        except LeaseLost as lost:
            log.error("errand_lost", errand=errand.id, cause=str(lost))
        else:
            log.info("errand_ended", errand=errand.id, kind=errand.wish.kind, state=end.state, error=end.error)
        await asyncio.to_thread(prune, self._reports, self._context.config.errands.reports_kept_max)
        return True

    def _environ(self, shown: Pass) -> Mapping[str, str]:
        return {VARIABLE: shown.text, "ARES_ENVIRONMENT__STATE_DIR": str(self._context.state_dir)}


def prune(reports: Path, kept_max: int) -> None:
    """Remove the oldest reports; so many stay."""
    pages = sorted(reports.glob("*.html"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for page in pages[kept_max:]:
        page.unlink(missing_ok=True)
