"""Makes versions of datasets from what was known at a moment, reads them again, and asks views for the same now."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace

from analytics.datasets.events import KeptFile, Source, VersionMade
from analytics.datasets.registry import Registry, Version, require_name
from analytics.datasets.verdicts import BarState, Grade, judged
from analytics.facts import SIGNALS
from ares.clock import DAY_NS, MINUTE_NS, NANOS_PER_MICRO, Clock, to_datetime
from ares.config.datasets import DatasetsConfig
from ares.config.lineage import LineageConfig
from ares.control import ControlStore, Lease
from ares.errors import OperatingError, UsageError
from ares.lake.delta import Lake
from ares.lake.frame import Column, ColumnKind, Frame, FrameCell, frame_of
from ares.lake.versions import DataFile, VersionedTable, digest_of
from ares.model.lineage import Edge, Graph, Made, Node
from ares.service.leases import awaited
from ares.service.lineage import record
from ares.store import Database, Param, load_queries
from ares.store.lineage import kind_of, views_made
from ares.store.migrate import table_statements, view_statements
from ares.store.pool import Record, as_int, as_str
from ares.telemetry import get_logger

log = get_logger(__name__)

QUERIES = load_queries("analytics", "queries/datasets.sql")
READ = ("bars_asof", "features_asof")
FROZEN_TABLES = ("bar_facts", "feature_values", "signal_values")
KEYS = 3
LEASE_S = 60.0
LEASE_POLL_S = 0.1
BAR_COLUMNS = (
    Column("ts", "moment"),
    Column("venue", "text"),
    Column("symbol", "text"),
    Column("status", "text"),
    Column("origin", "text"),
    Column("revision", "integer"),
    Column("known_at_ns", "integer"),
    *(Column(name, "number") for name in ("open", "high", "low", "close", "volume", "cost")),
    Column("trades", "integer"),
    Column("buy_volume", "number"),
)


class NothingKnown(UsageError):
    """No bar of a span was known at a moment."""

    code = "nothing_known"


@dataclass(slots=True)
class Datasets:
    """All datasets of one installation.

    Raises `StoreUnavailable`, `StoreRejected`, `ControlUnavailable`, `OperatingError` (the lake), `UsageError`, and
    `LeaseLost` where a version took longer than `LEASE_S` to write.
    """

    config: DatasetsConfig
    lineage: LineageConfig
    lake: Lake
    database: Database
    control: ControlStore
    clock: Clock

    @property
    def registry(self) -> Registry:
        """Which versions there are."""
        return Registry(self.control, self.clock)

    async def make(self, name: str, source: Source, known_to_ns: int, made_by: str) -> tuple[Version, Frame]:
        """The version that holds what was known of a span at a moment; the newest one if that says the same.

        A maker that dies leaves at most files that no version names: the version is recorded last.
        """
        require_name(name)
        self._require_bounded(source)
        await self.database.wait_applied([*FROZEN_TABLES, "gaps", "quality_checks"])
        frame = await self.read_views(source, known_to_ns)
        if not frame.rows:
            raise NothingKnown(
                f"dataset = {name!r}: no bar of {source.venue} was known between "
                f"{to_datetime(source.from_ns):%Y-%m-%dT%H:%M}Z and {to_datetime(source.to_ns):%Y-%m-%dT%H:%M}Z. "
                "Take another span, or let ares ingest and analytics run"
            )
        draft = await self._draft(name, source, known_to_ns, made_by, frame)
        version = await self._kept(draft, frame)
        return version, frame

    async def read(self, version: Version) -> Frame:
        """The rows of a version, as they were made."""
        if version.retired is not None:
            raise UsageError(f"dataset = {version.id!r}: given up ({version.retired}). Take another version")
        made = version.made
        frame = await asyncio.to_thread(self._table(made.location).read, files_of(made), columns_of(made), made.keys)
        if digest_of(frame) != made.sha256:
            raise OperatingError(f"dataset {version.id}: its rows are not those that were recorded")
        return frame

    async def read_views(self, source: Source, known_to_ns: int) -> Frame:
        """What the as-of views say of a span at a moment: a row a bar, a column a feature."""
        columns = (*BAR_COLUMNS, *(Column(name, "number") for name in sorted(source.features)))
        rows: list[Sequence[FrameCell]] = []
        for symbol in sorted(source.symbols):
            for lo_ns, hi_ns in _days(source):
                scope = _scope(source.venue, symbol, lo_ns, hi_ns)
                rows += await self._read(scope, known_to_ns, source.features)
        return frame_of(columns, KEYS, rows)

    async def rebuild(self, version: Version) -> Frame:
        """What the views say today of what was known then: other than the version where history was frozen later."""
        return await self.read_views(version.made.source, version.made.known_to_ns)

    def content(self, version: Version) -> Iterator[tuple[str, bytes]]:
        """The files of a version, byte for byte as they were written."""
        table = self._table(version.made.location)
        for number, file in enumerate(files_of(version.made)):
            yield f"part-{number:05d}.parquet", table.content(file)

    async def retire(self, version: Version, who: str, why: str) -> None:
        """Give a version up, and then the files that no other holds. Raises `UsageError` while something cites it.

        Nobody makes a version meanwhile: one that says the same takes over the files of the one before.
        """
        async with self._alone(version.made.name):
            self.registry.retire(version, who, why)
            standing = self.registry.standing(version.made.name)
            shared = {file.path for each in standing for file in each.made.files}
            own = [file for file in files_of(version.made) if file.path not in shared]
            await asyncio.to_thread(self._table(version.made.location).delete, own)

    async def _read(
        self, scope: Mapping[str, Param], known_to_ns: int, features: Sequence[str]
    ) -> list[list[FrameCell]]:
        params = {**scope, "known_to": to_datetime(known_to_ns)}
        values: dict[int, dict[str, FrameCell]] = {}
        for row in await self.database.fetch(QUERIES["features"], params):
            view = f"{as_str(row['name'])}_v{as_int(row['number'])}"
            values.setdefault(as_int(row["ts_ns"]), {})[view] = _number(row, "value")
        if any(name.startswith(SIGNALS) for name in features):
            for row in await self.database.fetch(QUERIES["signals"], params):
                view = f"{as_str(row['name'])}_v{as_int(row['number'])}"
                values.setdefault(as_int(row["ts_ns"]), {})[view] = _number(row, "value")
        rows = []
        for bar in await self.database.fetch(QUERIES["bars"], params):
            seen = values.get(as_int(bar["ts_ns"]), {})
            head: list[FrameCell] = [as_int(bar["ts_ns"]), str(scope["venue"]), str(scope["symbol"])]
            rows.append([*head, *_bar_cells(bar), *(seen.get(name) for name in sorted(features))])
        return rows

    async def _draft(self, name: str, source: Source, known_to_ns: int, made_by: str, frame: Frame) -> VersionMade:
        """What there is to say of a version before it has files and a number."""
        stamps = [as_int(ts_ns) for ts_ns in frame.data["ts"]]
        span = (stamps[0], stamps[-1] + MINUTE_NS)
        gaps = {}
        for symbol in source.symbols:
            row = await self.database.fetch_one(QUERIES["gaps"], _scope(source.venue, symbol, *span))
            gaps[symbol] = as_int(row["gaps"]) if row else 0
        found = await self.database.fetch(QUERIES["quality"], _scope(source.venue, "", *span))
        grades = [
            Grade(*(as_str(row[name] or "") for name in ("check_name", "symbol", "channel", "grade"))) for row in found
        ]
        bars = [
            BarState(str(symbol), as_int(ts_ns), str(status))
            for ts_ns, symbol, status in zip(*(frame.data[name] for name in ("ts", "symbol", "status")), strict=True)
        ]
        return VersionMade(
            name=name,
            version=0,
            made_by=made_by,
            source=source,
            span_from_ns=span[0],
            span_to_ns=span[1],
            known_to_ns=known_to_ns,
            location=f"datasets/{name}",
            delta_version=0,
            rows=frame.rows,
            sha256=digest_of(frame),
            files=[],
            columns=[[*column] for column in frame.columns],
            keys=frame.keys,
            view_hashes=await self._view_hashes(source.features),
            judged=judged(bars, span, gaps, grades),
        )

    async def _kept(self, draft: VersionMade, frame: Frame) -> Version:
        """The version with its files: the newest one if it says the same, else a new one."""
        async with self._alone(draft.name) as lease:
            standing = self.registry.standing(draft.name)
            made = draft
            if not standing or standing[-1].made.sha256 != draft.sha256:
                run = uuid.uuid4().hex
                written = await asyncio.to_thread(self._table(draft.location).write, frame, run)
                kept = [KeptFile(file.path, file.sha256, file.bytes) for file in written.files]
                made = replace(draft, delta_version=written.delta_version, files=kept)
            else:  # the same rows judged anew: they lie there already
                before = standing[-1].made
                made = replace(draft, delta_version=before.delta_version, files=before.files)
            await asyncio.to_thread(self.control.renew_lease, lease, self.clock.now_ns(), LEASE_S)
            version = self.registry.add(made)
        await self._record(version)
        log.info("dataset_made", dataset=version.id, rows=version.made.rows, quality=version.made.judged.quality)
        return version

    async def _record(self, version: Version) -> None:
        made = version.made
        views = made.source.features
        read = (*READ, *(("signals_asof",) if any(name.startswith(SIGNALS) for name in views) else ()))
        shown = (Node("signal" if name.startswith(SIGNALS) else "feature", name) for name in views)
        sources = (*(Node("view", name) for name in read), *shown)
        detail = f"{made.rows} bars known to {to_datetime(made.known_to_ns):%Y-%m-%dT%H:%M:%SZ}"
        columns = tuple((name, kind) for name, kind in made.columns)
        edges = [Made(Node("dataset", version.id), sources, detail, columns)]
        run = (version.id, version.made_at_ns)
        await record(self.control, self.lineage, "dataset", run, edges, clock=self.clock)

    async def _view_hashes(self, features: Sequence[str]) -> dict[str, str]:
        """The fingerprints of the views that are read and of all views below them."""
        texts = [*table_statements(), *view_statements()]
        kinds = {each.name: kind_of(each.kind, each.folder) for each in texts}
        made = views_made(((each.name, each.sql) for each in texts if each.kind != "TABLE"), kinds)
        graph = Graph(tuple(Edge(source, each.to) for each in made for source in each.sources))
        read = [Node(kinds[name], name) for name in (*READ, *features) if name in kinds]
        below = {node.name for node in (*read, *graph.reached(read, "UP"))}
        rows = await self.database.fetch(QUERIES["view_hashes"])
        return {as_str(row["view_name"]): as_str(row["digest"]) for row in rows if row["view_name"] in below}

    @asynccontextmanager
    async def _alone(self, name: str) -> AsyncIterator[Lease]:
        """One maker of a dataset at a time: two that write one Delta table would mix their rows."""
        wait_s, stream = self.config.wait_s_max, f"dataset/{name}"
        lease = await awaited(self.control, self.clock, stream, ttl_s=LEASE_S, wait_s_max=wait_s, poll_s=LEASE_POLL_S)
        if lease is None:
            raise OperatingError(f"{stream}: somebody else has made a version of it for {wait_s:g} s")
        try:
            yield lease
        finally:
            await asyncio.to_thread(self.control.release_lease, lease)

    def _require_bounded(self, source: Source) -> None:
        if source.from_ns >= source.to_ns:
            raise UsageError(
                f"from = {to_datetime(source.from_ns)}: not before to = {to_datetime(source.to_ns)}. Swap them"
            )
        bars = (source.to_ns - source.from_ns) // MINUTE_NS * len(source.symbols)
        if bars > self.config.rows_max:
            raise UsageError(
                f"span = {bars} bars: more than datasets.rows_max = {self.config.rows_max}. Take a shorter span, "
                "or raise it if there is memory for more"
            )

    def _table(self, location: str) -> VersionedTable:
        return VersionedTable(f"{self.lake.root}/{location}", self.lake.options)


def files_of(made: VersionMade) -> list[DataFile]:
    """The files of a version, for the lake."""
    return [DataFile(file.path, file.sha256, file.bytes) for file in made.files]


def columns_of(made: VersionMade) -> list[Column]:
    """The columns of a version, for the lake."""
    kinds: dict[str, ColumnKind] = {"moment": "moment", "text": "text", "integer": "integer", "number": "number"}
    return [Column(name, kinds[kind]) for name, kind in made.columns]


def manifest_of(version: Version) -> dict[str, object]:
    """What goes beside the files of a checked-out version; the same whenever that is."""
    return asdict(version.made)


def whole_micros(ts_ns: int) -> int:
    """A moment that the database can be asked about."""
    return ts_ns // NANOS_PER_MICRO * NANOS_PER_MICRO


def _days(source: Source) -> Iterator[tuple[int, int]]:
    lo_ns = source.from_ns
    while lo_ns < source.to_ns:
        hi_ns = min(source.to_ns, (lo_ns // DAY_NS + 1) * DAY_NS)
        yield lo_ns, hi_ns
        lo_ns = hi_ns


def _scope(venue: str, symbol: str, lo_ns: int, hi_ns: int) -> dict[str, Param]:
    return {"venue": venue, "symbol": symbol, "from": to_datetime(lo_ns), "to": to_datetime(hi_ns)}


def _bar_cells(bar: Record) -> list[FrameCell]:
    cells: list[FrameCell] = []
    for column in BAR_COLUMNS[KEYS:]:
        value = bar[column.name]
        match column.kind:
            case "text":
                cells.append(as_str(value))
            case "integer":
                cells.append(None if value is None else as_int(value))
            case _:
                cells.append(_number(bar, column.name))
    return cells


def _number(row: Record, name: str) -> float | None:
    value = row[name]
    return float(value) if isinstance(value, int | float) else None
