"""What happens to a dataset: a version is made, cited by what was made of it, retired. Stream `dataset/NAME`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import orjson

from ares.config import AresConfig
from ares.events import Event, EventRegistry, EventType
from ares.events.projection import Projection
from ares.model.row import Row, UtcNs
from ares.store import load_queries


@dataclass(frozen=True, slots=True)
class Source:
    """What was asked for: bars of these symbols with these features. Times in UTC ns, the end excluded."""

    venue: str
    symbols: list[str]
    features: list[str]
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of a version, by its path below the dataset's place."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of a version's worth. gaps: whole, gaps, unknown; quality: ok, warn, fail, unknown."""

    gaps: str
    open_gaps: int
    gap_bars: int
    missing_bars: int
    quality: str
    not_ok: list[str]


@dataclass(frozen=True, slots=True)
class VersionMade:
    """A version was made and is whole. sha256 is of its rows, in whatever file; span in UTC ns, the end excluded;
    what was known after known_to is not in it; columns are pairs of name and kind, the first `keys` of them the key.
    """

    name: str
    version: int
    made_by: str
    source: Source
    span_from_ns: int
    span_to_ns: int
    known_to_ns: int
    location: str
    delta_version: int
    rows: int
    sha256: str
    files: list[KeptFile]
    columns: list[list[str]]
    keys: int
    view_hashes: dict[str, str]
    judged: Judged


@dataclass(frozen=True, slots=True)
class VersionCited:
    """Something that stays was made of a version: a model, by its name and version."""

    name: str
    version: int
    by: str


@dataclass(frozen=True, slots=True)
class VersionRetired:
    """A version was given up, and its files with it."""

    name: str
    version: int
    who: str
    why: str


_EXAMPLE = VersionMade(
    "direction",
    3,
    "train",
    Source("sim", ["BTC/USDT"], ["rsi_14_v1"], 1_795_464_000_000_000_000, 1_795_464_240_000_000_000),
    1_795_464_000_000_000_000,
    1_795_464_240_000_000_000,
    1_795_464_293_000_000_000,
    "var/lake/datasets/direction",
    2,
    4,
    "ab" * 32,
    [KeptFile("part-00000.snappy.parquet", "cd" * 32, 4_096)],
    [["ts", "moment"], ["symbol", "text"], ["rsi_14_v1", "number"]],
    2,
    {"rsi_14_v1": "0123456789abcdef"},
    Judged("whole", 0, 0, 0, "ok", []),
)

MADE = EventType("dataset", "made", _EXAMPLE)
CITED = EventType("dataset", "cited", VersionCited("direction", 3, "direction@20260301T120000.123"))
RETIRED = EventType("dataset", "retired", VersionRetired("direction", 2, "operator", "superseded"))
TYPES = (MADE, CITED, RETIRED)
REGISTRY = EventRegistry(TYPES)


def made_row(made: VersionMade, ts_ns: int) -> Row:
    """A version as analysts see it."""
    return Row(
        "datasets",
        ts_ns,
        {
            "name": made.name,
            "status": "made",
            "gap_verdict": made.judged.gaps,
            "quality_verdict": made.judged.quality,
        },
        {
            "version": made.version,
            "source": orjson.dumps(asdict(made.source)).decode(),
            "span_from": UtcNs(made.span_from_ns),
            "span_to": UtcNs(made.span_to_ns),
            "known_to": UtcNs(made.known_to_ns),
            "location": made.location,
            "delta_version": made.delta_version,
            "rows": made.rows,
            "sha256": made.sha256,
            "view_hashes": orjson.dumps(made.view_hashes, option=orjson.OPT_SORT_KEYS).decode(),
            "quality": orjson.dumps(asdict(made.judged)).decode(),
            "made_by": made.made_by,
        },
    )


def retired_row(retired: VersionRetired, ts_ns: int) -> Row:
    """That a version is no more."""
    return Row(
        "datasets",
        ts_ns,
        {"name": retired.name, "status": "retired"},
        {"version": retired.version, "made_by": retired.who, "quality": retired.why},
    )


class DatasetsProjection:
    """The table `datasets`."""

    name = "datasets"
    categories: Sequence[str] = ("dataset",)
    live: Mapping[str, str] = load_queries("analytics", "queries/datasets_live.sql")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        for event in events:
            if isinstance(event.body, VersionMade):
                yield made_row(event.body, event.stored.ts_ns)
            elif isinstance(event.body, VersionRetired):
                yield retired_row(event.body, event.stored.ts_ns)


def projections(_: AresConfig) -> Sequence[Projection]:
    """What datasets are projected to."""
    return [DatasetsProjection()]
