"""Points of an InfluxDB, asked of the server or from a file of its export, handed out block by block as files are."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import IO, Protocol, cast

import pyarrow as pa

from ares.clock import DAY_NS, isoformat
from ares.errors import UsageError
from ingest.imports.columns import Block
from ingest.imports.derived import DerivedIds
from ingest.imports.files import GZIP, LINE_MAX, RAGGED_MAX, ROWS_MAX
from ingest.imports.influx_text import AnnotatedCsv, Point, Unread, points_of_lines
from ingest.imports.layouts import Shape
from ingest.imports.staging import Staging
from ingest.influx.client import Endpoint, Influx

ANNOTATIONS = ("#group", "#datatype", "#default", ",result,table")
"""How annotated CSV begins."""
LONG_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Selection:
    """Which points are meant, and what their tags and fields are to us.

    `roles` says by role the name of a tag or field; trades without a role `trade_id` get derived ids. `where` are tags
    and what they must be. From `from_ns` up to `to_ns` (UTC ns, exclusive). Times are cut to whole `unit_ns`.
    """

    measurement: str
    roles: Mapping[str, str]
    where: tuple[tuple[str, str], ...] = ()
    from_ns: int = 0
    to_ns: int = LONG_MAX
    unit_ns: int = 1

    def said(self, point: Point) -> Mapping[str, str]:
        """The values of a point by role; nothing of one that is not meant."""
        if point.measurement not in {self.measurement, ""} or not self.from_ns <= point.time_ns < self.to_ns:
            return {}
        if any(point.tags.get(name) != value for name, value in self.where):
            return {}
        if not any(name in point.fields for name in self.roles.values()):
            return {}
        known = {**point.tags, **point.fields}
        return {role: known[name] for role, name in self.roles.items() if name in known}

    def flux(self, bucket: str, from_ns: int, to_ns: int) -> str:
        """The question for the points of a span. A name of a tag among the fields finds nothing, and costs nothing."""
        tags = "".join(f" and r[{_quoted(name)}] == {_quoted(value)}" for name, value in self.where)
        fields = " or ".join(f"r._field == {_quoted(name)}" for name in sorted(set(self.roles.values())))
        return (
            f"from(bucket: {_quoted(bucket)}) |> range(start: {isoformat(from_ns)}, stop: {isoformat(to_ns)})"
            f" |> filter(fn: (r) => r._measurement == {_quoted(self.measurement)}{tags} and ({fields}))"
        )


class Origin(Protocol):
    """Where points come from; `share` of it, from 0 to 1, was read."""

    share: float

    @property
    def name(self) -> str: ...

    def points(self) -> Iterator[Point | Unread]: ...


@dataclass(slots=True)
class ExportFile:
    """Line protocol or annotated CSV, plain or .gz. Raises `UsageError` for a file that is not there or is torn."""

    path: Path
    share: float = 0.0

    @property
    def name(self) -> str:
        """The file's."""
        return self.path.name

    def points(self) -> Iterator[Point | Unread]:
        """In the order of the file."""
        try:
            with self.path.open("rb") as raw:
                size = max(1, self.path.stat().st_size)
                text = _text(raw)
                first = text.readline()
                lines = chain([first], text)
                points = AnnotatedCsv().points(lines) if first.startswith(ANNOTATIONS) else points_of_lines(lines)
                for number, point in enumerate(points):
                    if number % ROWS_MAX == 0:
                        self.share = raw.tell() / size
                    yield point
        except (OSError, EOFError) as error:
            raise UsageError(f"FILE = {str(self.path)!r}: cannot be read: {error}") from None


@dataclass(slots=True)
class Server:
    """An InfluxDB that is asked day by day; without `to_ns` up to `now_ns`.

    Raises `CopyUnavailable`, `CopyDenied`, `CopyRejected`.
    """

    endpoint: Endpoint
    selection: Selection
    now_ns: int
    share: float = 0.0

    @property
    def name(self) -> str:
        """The bucket's and the measurement's."""
        return f"{self.endpoint.bucket}/{self.selection.measurement}"

    def points(self) -> Iterator[Point | Unread]:
        """Series by series within each day."""
        start_ns, end_ns = self.selection.from_ns, min(self.selection.to_ns, self.now_ns)
        influx = Influx(self.endpoint)
        try:
            for from_ns in range(start_ns, end_ns, DAY_NS):
                to_ns = min(end_ns, from_ns + DAY_NS)
                with influx.query(self.selection.flux(self.endpoint.bucket, from_ns, to_ns)) as text:
                    yield from AnnotatedCsv().points(text)
                self.share = (to_ns - start_ns) / (end_ns - start_ns)
        finally:
            influx.close_sync()


@dataclass(slots=True)
class InfluxSource:
    """Points as rows of a file: each field of a point comes on its own, so they are put together on disk first.

    Blocks without rows come while that goes on. `ragged` are the lines that are no points, `ragged_count` of them.
    """

    origin: Origin
    selection: Selection
    folder: Path
    share: float = 0.0
    ragged: list[str] = field(default_factory=list)
    ragged_count: int = 0

    @property
    def name(self) -> str:
        """Of the origin."""
        return self.origin.name

    @property
    def label(self) -> str:
        """For messages."""
        return f"--measurement = {self.selection.measurement!r}"

    def shape(self) -> Shape:
        """The columns that every block has, whichever are empty."""
        names = ("time", "trade_id", *(name for name in self.selection.roles if name not in {"moment", "trade_id"}))
        return Shape(names, len(names))

    def blocks(self, names: Sequence[str], needed: Sequence[str]) -> Iterator[Block]:
        """The needed columns, oldest rows first."""
        del names
        with ExitStack() as opened:
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="import-", dir=self.folder))
            staging = opened.enter_context(closing(Staging(Path(folder) / "points.sqlite")))
            for _ in self._staged(staging):
                self.share = self.origin.share / 2
                yield Block(1, {name: pa.array([], pa.string()) for name in needed}, {})
            total, done = len(staging), 0
            rows = self._rows(staging)
            while part := list(islice(rows, ROWS_MAX)):
                columns = {name: pa.array([row.get(name) for row in part], _kind(name)) for name in needed}
                self.share = (1 + (done + len(part)) / total) / 2
                yield Block(done + 1, columns, {})
                done += len(part)

    def _staged(self, staging: Staging) -> Iterator[None]:
        points = self.origin.points()
        while part := list(islice(points, ROWS_MAX)):
            self._note([each for each in part if isinstance(each, Unread)])
            meant = ((each, self.selection.said(each)) for each in part if isinstance(each, Point))
            staging.add((each.time_ns, _series(tuple(each.tags.items())), said) for each, said in meant if said)
            yield

    def _note(self, unread: Sequence[Unread]) -> None:
        self.ragged_count += len(unread)
        room = max(0, RAGGED_MAX - len(self.ragged))
        self.ragged += [f"{each.reason}: {each.text}"[:LINE_MAX] for each in unread[:room]]

    def _rows(self, staging: Staging) -> Iterator[Mapping[str, str | int | None]]:
        ids = DerivedIds()
        for time_ns, said in staging.rows():
            moment = said["moment"]
            at_ns = time_ns if "moment" not in self.selection.roles else _whole(moment)
            row: dict[str, str | int | None] = {**said, "time": at_ns - at_ns % self.selection.unit_ns}
            if "trade_id" not in self.selection.roles:
                row["trade_id"] = str(ids.next(time_ns))
            yield row


def _kind(name: str) -> pa.DataType:
    return pa.int64() if name == "time" else pa.string()


def _whole(text: str | None) -> int:
    """A time in ns; 0, which is none, for anything else."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and int(text) <= LONG_MAX else 0


@lru_cache(maxsize=4_096)
def _series(tags: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(sorted(tags))


def _quoted(text: str) -> str:
    """A string of Flux, in which nothing is put in: https://docs.influxdata.com/flux/v0/spec/lexical-elements/"""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${") + '"'


def _text(raw: IO[bytes]) -> io.TextIOWrapper:
    packed = raw.read(2).startswith(GZIP)
    raw.seek(0)
    plain = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
    return io.TextIOWrapper(plain, encoding="utf-8", errors="replace", newline="")
