"""The service `analytics`: the only place that puts its parts together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from analytics.catalog import Catalog, catalog_of
from analytics.features.own import Own
from analytics.freeze import Freezer
from analytics.jobs import COMPARE, DRIFT, FEATURE_CHECK, TRAIN
from analytics.keeper import Keeper, Pace
from analytics.lineage import scored_made
from analytics.predict import PredictPort
from analytics.scoring import Scorer
from analytics.truth import TruthReader
from ares.clock import DAY_NS, HOUR_NS, MINUTE_NS, NANOS_PER_SECOND
from ares.config import AresConfig
from ares.errors import AresError, StoreError, UsageError
from ares.resilience import Backoff
from ares.service import Health, Service, ServiceContext
from ares.service.jobs import JobScheduler, run_job
from ares.service.lineage import note
from ares.store import Database, RowWriter
from ares.telemetry import get_logger

log = get_logger(__name__)

HISTORY_PAUSE_S = 0.05
CORRECT_S = 15.0
MODEL_POLL_S = 2.0
OWN_POLL_S = 2.0
BACKOFF_S_MIN = 0.2
BACKOFF_S_MAX = 10.0


class Analytics:
    """Freezes the configured venue, trains its model and asks it. Without a database it waits and says so."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._writer = RowWriter(context.config.database)
        self._jobs = JobScheduler(context, [TRAIN, COMPARE, DRIFT, FEATURE_CHECK])
        self._database: Database | None = None
        self._keeper: Keeper | None = None
        self._port: PredictPort | None = None
        self._own = Own(context.config.features.folder(context.state_dir))
        self._troubles: dict[str, str] = {}
        self._tried_to_train = False
        self._score_since_ns: int | None = None

    async def start(self) -> None:
        config = self._context.config
        self._database = await Database.connect(config.database)
        reader = TruthReader(self._database, config.ingest.venue, self._catalog(catalog_of()))
        scorer = Scorer(
            self._database,
            config.ingest.venue,
            config.training.model,
            self._context.state_dir,
            ab_share=config.training.ab_share,
        )
        lateness_ns = round(config.analytics.lateness_s_max * NANOS_PER_SECOND)
        freezer = Freezer(reader, self._writer, scorer, self._context.clock, lateness_ns)
        await self._take_up(scorer)
        port = config.analytics.predict_port
        self._port = PredictPort(scorer, config.ingest.symbols, self._context.state_dir, port)
        await self._port.start()
        self._keeper = Keeper(freezer, pace_of(config))

    async def run(self) -> None:
        keeper = self._running()
        await self._jobs.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat("live", keeper.freeze_due, keeper.pause_s), name="live")
            tasks.create_task(self._repeat("history", keeper.freeze_history, lambda: HISTORY_PAUSE_S), name="history")
            tasks.create_task(self._repeat("corrections", keeper.correct, lambda: CORRECT_S), name="corrections")
            tasks.create_task(self._repeat("own views", self._follow_own, lambda: OWN_POLL_S), name="own views")
            tasks.create_task(self._repeat("model", self._follow_model, lambda: MODEL_POLL_S), name="model")

    def reconfigure(self, config: AresConfig) -> None:
        """Keep the new pace and share; the next training reads its settings itself."""
        if self._keeper is not None:
            self._keeper.pace = pace_of(config)
            self._keeper.freezer.scorer.ab_share = config.training.ab_share

    async def stop(self) -> None:
        await self._jobs.stop()
        if self._port is not None:
            await self._port.stop()
        await self._writer.close()
        if self._database is not None:
            await self._database.close()

    def health(self) -> Health:
        if self._keeper is None:
            return Health(ready=False, detail="starting")
        if self._troubles:
            return Health(ready=False, detail="; ".join(f"{what}: {why}" for what, why in self._troubles.items()))
        if not self._keeper.frozen_until:
            return Health(ready=False, detail="waiting for ingest to say that history is complete")
        trouble = self._keeper.freezer.scorer.trouble
        return Health(ready=True, detail=trouble if self._keeper.history_is_frozen else "freezing history")

    async def _repeat(self, what: str, work: Callable[[], Awaitable[object]], pause_s: Callable[[], float]) -> None:
        """Do something again and again; what the store refuses or misses now is tried again later, and shown."""
        backoff = Backoff(BACKOFF_S_MIN, BACKOFF_S_MAX, random.Random())  # noqa: S311 - jitter, not a secret
        while True:
            try:
                await work()
            except StoreError as error:
                wait_s = backoff.next_wait_s()
                self._troubles[what] = error.code
                log.warning("work_waits", work=what, cause=str(error), wait_s=wait_s)
                await self._context.clock.sleep(wait_s)
                continue
            backoff.reset()
            self._troubles.pop(what, None)
            await self._context.clock.sleep(pause_s())

    def _catalog(self, otherwise: Catalog) -> Catalog:
        """What is deployed now; `otherwise` while a file of an analyst's cannot be read."""
        try:
            return self._own.catalog()
        except UsageError as error:
            log.error("own_views_unreadable", cause=str(error))
            return otherwise

    async def _follow_own(self) -> None:
        """Take up what analysts deployed or retired; the last day is frozen of what is new."""
        keeper = self._running()
        before = keeper.freezer.reader.catalog
        found = await asyncio.to_thread(self._catalog, before)
        if (found.features, found.signals) == (before.features, before.signals):
            return
        keeper.freezer.reader.catalog = found
        new = {d.view for d in (*found.features, *found.signals)} - {
            d.view for d in (*before.features, *before.signals)
        }
        log.info("own_views_taken_up", new=sorted(new), views=len(found.features) + len(found.signals))
        if new:
            await keeper.freeze_since(self._context.clock.now_ns() - DAY_NS)

    async def _follow_model(self) -> None:
        """Take up new versions as they come; train the first one as soon as there is history to train on."""
        keeper = self._running()
        scorer = keeper.freezer.scorer
        if not keeper.history_is_frozen:
            return
        if scorer.model is None and not self._tried_to_train:
            self._tried_to_train = True
            await self._train_first()
        if await self._take_up(scorer) and scorer.model is not None:
            first_ns = min(judge.model.train_to_ns for judge in scorer.serving.judges) + MINUTE_NS
            self._score_since_ns = max(first_ns, self._context.clock.now_ns() - DAY_NS)
        if self._score_since_ns is not None:
            await keeper.freeze_since(self._score_since_ns)
            self._score_since_ns = None

    async def _take_up(self, scorer: Scorer) -> bool:
        """Take up who is in use now if that changed, and say whose predictions there are from now on."""
        if not await scorer.reload():
            return False
        for judge in scorer.serving.judges:
            await note(self._context, "score", scored_made(judge.model.name, judge.version, judge.model.features))
        return True

    async def _train_first(self) -> None:
        try:
            await run_job(self._context, TRAIN, "no model yet")
        except AresError as error:
            log.warning("training_failed", cause=str(error))

    def _running(self) -> Keeper:
        assert self._keeper is not None, "start() comes first"
        return self._keeper


def pace_of(config: AresConfig) -> Pace:
    """How fast to freeze, by these settings."""
    recheck_ns = round(config.training.window_hours * HOUR_NS)
    return Pace(config.analytics.poll_s, config.analytics.catch_up_bars_max, recheck_ns)


def create(context: ServiceContext) -> Service:
    """The service of this installation."""
    return Analytics(context)
