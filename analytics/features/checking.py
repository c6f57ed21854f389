"""Runs the checks of features and signals: headers on what is frozen, and the proof that none knows the future."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analytics.catalog import Definition, Kind
from analytics.features.checks import Frozen, Result, graded, looked, quality_rows
from analytics.features.own import Own
from analytics.features.proof import Prover, Verdict
from analytics.features.real import QUERIES, copied, newest_base
from analytics.features.scratch import FOLDER, scratch
from analytics.features.worlds import WARM_UP_SPARE, Bars
from ares.clock import HOUR_NS, Clock, to_datetime
from ares.config import AresConfig
from ares.control import Json
from ares.store import Database, Param, RowWriter
from ares.store.pool import as_int, as_str
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which views are checked, on what is frozen of which span (UTC ns), and of how many bars a proof is made."""

    views: Sequence[Definition]
    from_ns: int
    to_ns: int
    bars: int


@dataclass(slots=True)
class Checking:
    """Checks one venue. Raises `StoreUnavailable`, `StoreRejected`, `ServerFailed`."""

    config: AresConfig
    own: Own
    database: Database
    writer: RowWriter
    clock: Clock

    def usual(self, views: Sequence[Definition]) -> Wanted:
        """What is checked every night."""
        settings, now_ns = self.config.features, self.clock.now_ns()
        return Wanted(views, now_ns - round(settings.check_hours * HOUR_NS), now_ns, settings.check_bars)

    async def run(self, wanted: Wanted) -> list[Result]:
        """Check, keep the results as rows of `quality_checks`, and return them, failures first."""
        results = await self._graded(wanted)
        results += [looked(verdict) for verdict in await self.prove(wanted.views, wanted.bars)]
        results.sort(key=lambda r: (("fail", "warn", "ok").index(r.grade), r.view, r.check, r.symbol))
        venue, now_ns = self.config.ingest.venue, self.clock.now_ns()
        await self.writer.write(quality_rows(results, venue, now_ns, wanted.from_ns))
        for each in results:
            if each.grade == "fail":
                log.warning("feature_check_failed", view=each.view, check=each.check, cause=each.demanded)
        for grade in ("ok", "warn", "fail"):
            metrics.FEATURE_CHECKS.labels(grade).set(sum(each.grade == grade for each in results))
        return results

    async def prove(self, views: Sequence[Definition], bars: int) -> list[Verdict]:
        """Proofs on the newest real bars, in a database of their own; none where nothing is frozen yet."""
        venue = self.config.ingest.venue
        base_ns = await newest_base(self.database, venue, bars)
        if base_ns is None or not views:
            return []
        warm_up = WARM_UP_SPARE + self.own.catalog().warm_up_bars_max
        kept = self.config.environment.state_dir.resolve() / FOLDER
        async with scratch(self.config.database, self.clock, kept, self.own.statements()) as there:
            span = Bars(base_ns, bars, warm_up)
            market = await copied(self.database, (there.database, there.writer), venue, span)
            return await Prover(there.database, market, "proof").prove(views, base_ns, bars)

    async def _graded(self, wanted: Wanted) -> list[Result]:
        results: list[Result] = []
        for kind in KINDS:
            frozen = await self._frozen(kind, wanted)
            for view in wanted.views:
                if view.kind == kind:
                    results += graded(view, frozen.get((view.name, view.version), {}))
        return results

    async def _frozen(self, kind: Kind, wanted: Wanted) -> Mapping[tuple[str, int], Mapping[str, Frozen]]:
        where: dict[str, Param] = {
            "venue": self.config.ingest.venue,
            "from": to_datetime(wanted.from_ns),
            "to": to_datetime(wanted.to_ns),
        }
        found: dict[tuple[str, int], dict[str, Frozen]] = {}
        for row in await self.database.fetch(QUERIES[f"graded_{kind}s"], where):
            numbers = (as_int(row["rows"]), as_int(row["nulls"]), number(row["least"]), number(row["most"]))
            by_symbol = found.setdefault((as_str(row["name"]), as_int(row["version"])), {})
            by_symbol[as_str(row["symbol"])] = Frozen(*numbers, as_int(row["different"]))
        return found


KINDS: Sequence[Kind] = ("feature", "signal")


def number(cell: object) -> float | None:
    """A number, or that there is none."""
    return float(cell) if isinstance(cell, int | float) else None


def counted(results: Sequence[Result]) -> Mapping[str, Json]:
    """How many of each grade: what a job says of its run."""
    return {grade: sum(each.grade == grade for each in results) for grade in ("ok", "warn", "fail")}
