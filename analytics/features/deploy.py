"""Brings an analyst's own feature or signal into the running database, once it is shown to be sound; takes it away."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analytics.catalog import Definition
from analytics.features.market import made_up
from analytics.features.own import (
    QUERIES,
    VALUE_COLUMNS,
    Own,
    others_of,
    own_of,
    read_file,
    readers,
    require_free,
    require_readable,
    require_same_or_new,
)
from analytics.features.proof import Prover, Verdict
from analytics.features.scratch import FOLDER, scratch
from analytics.features.worlds import WARM_UP_SPARE, Bars
from analytics.truth import THIS_VIEW
from ares.clock import HOUR_NS, NANOS_PER_SECOND, Clock, floor_ns
from ares.config import AresConfig
from ares.errors import StoreRejected, UsageError
from ares.store import Database, RowWriter
from ares.store.migrate import deploy_own, record_own
from ares.store.pool import as_int, as_str
from ares.telemetry import get_logger

log = get_logger(__name__)

MADE_UP = "made_up"
"""The venue of a market that is made up for a proof."""
PROOF_BARS = 8
PROOF_HOURS_AGO = 20
"""The made-up market lies in the last day: tables with a TTL take no older rows."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was deployed: the version, whether its stable name leads to it, and what the proof compared."""

    view: Definition
    stable: bool
    verdict: Verdict


@dataclass(slots=True)
class Deployment:
    """Deploys into one database. Raises `UsageError`, `ServerFailed`, `StoreUnavailable`, `StoreRejected`."""

    config: AresConfig
    own: Own
    database: Database
    writer: RowWriter
    clock: Clock

    async def deploy(self, file: Path, *, stable: bool) -> Deployed:
        """Check a file in a database of its own, then make it a view here. Nothing is changed where it is refused."""
        view = read_file(file)
        require_free(view, self.own)
        require_readable(view, self.own)
        await self._require_same(view)
        verdict = await self._proved(view)
        await self.database.execute(view.sql)
        await self._require_quick(view)
        self.own.keep(view, stable=stable)
        there = self.own.statements()
        kept = await deploy_own(self.database, self.writer, there, self.clock)
        await record_own(self.database, self.writer, kept, self.clock)
        log.info("own_view_deployed", view=view.view, cells=verdict.cells)
        return Deployed(view, self.own.leads_to(view), verdict)

    async def retire(self, name: str) -> Path:
        """Take an own version away; what is frozen of it stays. Raises `UsageError` while other views read it."""
        view = own_of(name, self.own)
        reading = readers(view, self.own)
        if reading:
            raise UsageError(f"NAME = {name!r}: {', '.join(reading)} read it. Retire those first")
        led = self.own.leads_to(view)
        there = self.own.retire(view)
        for gone in [view.name, view.view] if led else [view.view]:
            await self.database.execute(QUERIES["drop_view"].replace(THIS_VIEW, gone))
        log.info("own_view_retired", view=view.view)
        return there

    async def _require_same(self, view: Definition) -> None:
        row = await self.database.fetch_one(QUERIES["deployed"], {"view": view.view})
        counted = await self.database.fetch_one(
            QUERIES[f"frozen_{view.kind}"], {"name": view.name, "version": view.version}
        )
        frozen = 0 if counted is None else as_int(counted["n"])
        require_same_or_new(view, None if row is None else as_str(row["view_sql"]), frozen)

    async def _proved(self, view: Definition) -> Verdict:
        """The verdict of a proof on a made-up market. Raises `UsageError` where the view does not stand it."""
        kept = self.config.environment.state_dir.resolve() / FOLDER
        async with scratch(self.config.database, self.clock, kept, others_of(self.own, view)) as there:
            await self._compiled(there.database, view)
            warm_up = WARM_UP_SPARE + max(view.warm_up_bars, self.own.catalog().warm_up_bars_max)
            base_ns = floor_ns(self.clock.now_ns(), HOUR_NS) - PROOF_HOURS_AGO * HOUR_NS
            market = await made_up(there.database, there.writer, MADE_UP, Bars(base_ns, PROOF_BARS, warm_up))
            (verdict,) = await Prover(there.database, market, f"{MADE_UP}_w").prove([view], base_ns, PROOF_BARS)
        if verdict.leaks:
            raise UsageError(f"{view.source} = {view.view!r}: {verdict.leaks[0]}")
        if not verdict.known:
            raise UsageError(
                f"{view.source} = {view.view!r}: NULL in all {verdict.cells} bars of a market in which every table has "
                f"rows, so that nothing is proved. Is its @warm_up long enough?"
            )
        return verdict

    async def _compiled(self, database: Database, view: Definition) -> None:
        """Raises `UsageError` with QuestDB's own words, or where its columns are others than wanted."""
        try:
            await database.execute(view.sql)
            rows = await database.fetch(QUERIES["columns"], {"view": view.view})
        except StoreRejected as error:
            raise UsageError(f"{view.source} = {view.view!r}: {error}") from None
        found, wanted = tuple(as_str(row["name"]) for row in rows), VALUE_COLUMNS[view.kind]
        if found != wanted:
            raise UsageError(
                f"{view.source} = {', '.join(found)}: columns of a {view.kind} are {', '.join(wanted)}, in this order"
            )

    async def _require_quick(self, view: Definition) -> None:
        """Raises `UsageError`, and takes the view away again, where reading its last minutes takes too long."""
        took_s = await self._read_s(view)  # the first time it is planned too
        took_s = min(took_s, await self._read_s(view))
        most_s = self.config.features.deploy_read_s_max
        if took_s > most_s:
            await self.database.execute(QUERIES["drop_view"].replace(THIS_VIEW, view.view))
            raise UsageError(
                f"{view.source} = {view.view!r}: reading its last minutes takes {took_s:.1f} s, more than "
                f"features.deploy_read_s_max = {most_s} s. Read fewer rows, from @from less @warm_up on"
            )

    async def _read_s(self, view: Definition) -> float:
        began_ns = self.clock.now_ns()
        await self.database.fetch(QUERIES["recent"].replace(THIS_VIEW, view.view), {"venue": self.config.ingest.venue})
        return (self.clock.now_ns() - began_ns) / NANOS_PER_SECOND
