"""Points in the two forms that leave an InfluxDB: line protocol, and the annotated CSV of Flux. Pure.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
https://docs.influxdata.com/influxdb/v2/reference/syntax/annotated-csv/
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from ares.clock import to_ns
from ares.errors import UsageError

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
TAG = re.compile(r"((?:[^\\,= ]|\\.)+)=((?:[^\\,= ]|\\.)+)")
_FIELD = r'((?:[^\\,= ]|\\.)+)=("(?:[^"\\]|\\.)*"|[^, "]+)'
FIELD = re.compile(_FIELD)
LINE = re.compile(rf"((?:[^\\, ]|\\.)+)(?:,((?:[^\\ ]|\\.)+))? +((?:{_FIELD},?)+) +(-?\d{{1,19}})")
NUMBER = re.compile(r"([-+]?\d+)[iu]")
OWN = frozenset({"", "result", "table", "_start", "_stop", "_time", "_measurement", "_field", "_value"})


@dataclass(frozen=True, slots=True)
class Point:
    """What is said of a time (UTC ns) in one series: some of its fields, as text."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, str]
    time_ns: int


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that is no point, and why."""

    reason: str
    text: str


def points_of_lines(lines: Iterable[str]) -> Iterator[Point | Unread]:
    """Lines as `influxd inspect export-lp` and `influx_inspect export` write them.

    Comments, and what creates the database, are passed over.
    """
    for line in lines:
        text = line.strip("\r\n ")
        if text and not text.startswith(("#", "CREATE DATABASE ", "CREATE RETENTION ")):
            yield point_of_line(text)


def point_of_line(text: str) -> Point | Unread:
    """A line with a time in ns."""
    matched = LINE.fullmatch(text)
    if matched is None:
        return Unread("no line of measurement, tags, fields and a time in ns", text)
    measurement, tags, fields, time = matched[1], matched[2], matched[3], matched[matched.re.groups]
    found = _pairs(FIELD, fields)
    known = _tags(tags or "")
    if known is None or found is None:
        return Unread("tags or fields that are not name=value", text)
    plain = {_unescaped(name): _plain(value) for name, value in found}
    return Point(_unescaped(measurement), known, plain, int(time))


@lru_cache(maxsize=4_096)
def _tags(text: str) -> Mapping[str, str] | None:
    """Series are few, their points many."""
    known = _pairs(TAG, text)
    return None if known is None else {_unescaped(name): _unescaped(value) for name, value in known}


def _pairs(form: re.Pattern[str], text: str) -> list[tuple[str, str]] | None:
    """All `name=value` of a text; None if it holds anything else."""
    pairs: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        matched = form.match(text, place)
        if matched is None or (matched.end() < len(text) and text[matched.end()] != ","):
            return None
        pairs.append((matched[1], matched[2]))
        place = matched.end() + 1
    return pairs


def _unescaped(text: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", text) if "\\" in text else text


def _plain(value: str) -> str:
    if value.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", value[1:-1])
    whole = NUMBER.fullmatch(value)
    return whole[1] if whole else value


@dataclass(slots=True)
class AnnotatedCsv:
    """Tables of an answer, each with annotations and a header of its own; a point a row, with one field or several.

    Raises `UsageError` for text without annotations, and for an answer in which the server reports an error.
    """

    group: Sequence[str] = ()
    names: Sequence[str] = ()
    tags: list[int] = field(default_factory=list)
    fields: list[int] = field(default_factory=list)
    place: dict[str, int] = field(default_factory=dict)

    def points(self, lines: Iterable[str]) -> Iterator[Point | Unread]:
        """The points of the answer, in its order."""
        header_next = True
        for cells in _rows(lines):
            if not any(cells):
                header_next = True
            elif cells[0].startswith("#"):
                header_next = True
                if cells[0] == "#group":
                    self.group = cells
            elif header_next:
                self._header(cells)
                header_next = False
            elif len(cells) != len(self.names):
                yield Unread(f"{len(cells)} cells instead of {len(self.names)}", ",".join(cells))
            else:
                yield self._point(cells)

    def _header(self, names: Sequence[str]) -> None:
        if len(self.group) != len(names):
            raise UsageError("CSV without annotations. Write it with: influx query --raw, which says what is a tag")
        self.names = names
        self.place = {name: place for place, name in enumerate(names) if name}
        own = [place for place, name in enumerate(names) if place > 0 and name not in OWN]
        self.tags = [place for place in own if self.group[place] == "true"]
        self.fields = [place for place in own if self.group[place] != "true"]

    def _point(self, cells: Sequence[str]) -> Point | Unread:
        place = self.place
        if "error" in place and "_time" not in place:
            raise UsageError(f"InfluxDB ended its answer with an error: {cells[place['error']][:300]}")
        time_ns = time_of(cells[place["_time"]]) if "_time" in place else None
        if time_ns is None:
            return Unread("no _time in UTC", ",".join(cells))
        tags = {self.names[each]: cells[each] for each in self.tags if cells[each]}
        if "_field" in place:
            fields = {cells[place["_field"]]: cells[place["_value"]]} if "_value" in place else {}
        else:
            fields = {self.names[each]: cells[each] for each in self.fields if cells[each]}
        return Point(cells[place["_measurement"]] if "_measurement" in place else "", tags, fields, time_ns)


def _rows(lines: Iterable[str]) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines)
    except csv.Error as error:
        raise UsageError(f"not the CSV of an InfluxDB: {error}. Fetch it again: influx query --raw") from None


def time_of(text: str) -> int | None:
    """RFC 3339 in UTC as ns; None for anything else."""
    matched = TIME.fullmatch(text)
    if matched is None:
        return None
    second_ns = _second_ns(matched[1])
    return None if second_ns is None else second_ns + int((matched[2] or "").ljust(9, "0"))


@lru_cache(maxsize=4_096)
def _second_ns(text: str) -> int | None:
    """In most answers many points share their second."""
    try:
        return to_ns(datetime.fromisoformat(f"{text}+00:00"))
    except ValueError:
        return None
