"""Runs the graded checks of stored data, on a schedule and on demand, and makes rows of `quality_checks` of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ares.clock import HOUR_NS, MINUTE_NS, NANOS_PER_SECOND, Clock, floor_ns, to_datetime
from ares.config.quality import QualityConfig
from ares.errors import ConfigError, StoreError
from ares.model.row import Row, UtcNs
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_float, as_int, as_str
from ares.telemetry import get_logger, metrics
from ingest.feed import PERPETUALS, SPOT, Channel
from ingest.grading import CHECKS, GRADES, Check, Grade, checks_of, grade_of
from ingest.sink import Sink

log = get_logger(__name__)

QUERIES = load_queries("ingest", "queries/quality/checks.sql")
REPORT = load_queries("ingest", "queries/quality/report.sql")
SETTLED_S = 10
"""What is younger may still be on its way into the store."""
DAY_HOURS = 24
UNASSIGNED = ""
"""Stands for the symbol of frames that could not be read far enough to know it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one check observed of one channel of a symbol."""

    check: str
    symbol: str
    channel: str
    grade: Grade
    observed: float | None
    judged: int


@dataclass(slots=True)
class Inspector:
    """Checks what is stored of one venue. Raises `StoreUnavailable`, `StoreRejected`, `ConfigError`."""

    database: Database
    venue: str
    channels: Sequence[Channel] = field(default=SPOT, kw_only=True)
    """What the venue streams; of others nothing is expected."""
    symbols: Sequence[str]
    settings: QualityConfig
    clock: Clock
    dense_ids: bool = True
    """Whether an id that is not there says anything: else `missing_ids` is not asked."""

    async def run(self, past: Sink) -> None:
        """Check again and again until cancelled; a store that does not answer is asked next time."""
        while True:
            await self.clock.sleep(self.settings.every_s)
            try:
                await past.put(await self.inspect())
            except (StoreError, ConfigError) as error:
                log.warning("quality_not_checked", venue=self.venue, cause=str(error))

    async def inspect(self) -> list[Row]:
        """Run every check once over the last `span_minutes`; counts grades into the metric; returns the rows."""
        checks = checks_of(self.settings.limits)
        now_ns = self.clock.now_ns()
        from_ns = now_ns - self.settings.span_minutes * MINUTE_NS
        results = await self._results(checks, UNASSIGNED, ("quarantined",), now_ns, from_ns)
        names = [name for name in CHECKS if self.dense_ids or name != "missing_ids"]
        for symbol in self.symbols:
            results += await self._results(checks, symbol, names, now_ns, from_ns)
        count_grades(results)
        for each in results:
            if each.grade == "fail":
                log.warning("quality_check_failed", check=each.check, symbol=each.symbol, observed=each.observed)
        return [self._row(each, checks[each.check], now_ns, from_ns) for each in results]

    async def _results(
        self, checks: Mapping[str, Check], symbol: str, names: Sequence[str], now_ns: int, from_ns: int
    ) -> list[Result]:
        where = await self._where(symbol, now_ns, from_ns)
        results: list[Result] = []
        unexpected = set(PERPETUALS).difference(self.channels)
        for name in names:
            for record in await self.database.fetch(QUERIES[name], where):
                if record["channel"] in unexpected:
                    continue
                result = result_of(name, symbol, record, checks[name])
                results += [] if result is None else [result]
        return results

    async def _where(self, symbol: str, now_ns: int, from_ns: int) -> dict[str, Param]:
        settled_ns = now_ns - SETTLED_S * NANOS_PER_SECOND
        where: dict[str, Param] = {"venue": self.venue, "symbol": symbol, "from": to_datetime(from_ns)}
        record = await self.database.fetch_one(REPORT["certain_until"], where)
        mark = None if record is None else record["watermark_ns"]
        certain_ns = from_ns if mark is None else min(as_int(mark), settled_ns)
        return where | {
            "to": to_datetime(settled_ns),
            "bars_to": to_datetime(floor_ns(certain_ns, MINUTE_NS)),
            "day_from": to_datetime(now_ns - DAY_HOURS * HOUR_NS),
            "now_ns": now_ns,
        }

    def _row(self, result: Result, check: Check, now_ns: int, from_ns: int) -> Row:
        return Row(
            "quality_checks",
            now_ns,
            {
                "check_name": result.check,
                "venue": self.venue,
                "symbol": result.symbol,
                "channel": result.channel,
                "grade": result.grade,
                "unit": check.unit,
            },
            {
                "observed": result.observed,
                "warn_limit": check.limit.warn,
                "fail_limit": check.limit.fail,
                "span_from": UtcNs(from_ns),
                "span_to": UtcNs(now_ns),
                "detail": f"{result.judged} judged",
            },
        )


def result_of(name: str, symbol: str, record: Record, check: Check) -> Result | None:
    """A graded observation, or None if there was nothing to judge."""
    observed = None if record["observed"] is None else as_float(record["observed"])
    grade = grade_of(observed, check)
    if grade is None:
        return None
    judged = 0 if record["judged"] is None else as_int(record["judged"])
    return Result(name, symbol, as_str(record["channel"]), grade, observed, judged)


def count_grades(results: Sequence[Result]) -> None:
    """Tell the metric how many results each check has of each grade."""
    for name in CHECKS:
        for grade in GRADES:
            count = sum(each.check == name and each.grade == grade for each in results)
            metrics.QUALITY_CHECKS.labels(name, grade).set(count)
