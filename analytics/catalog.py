"""Which features and signals there are: the versioned views below `views/`, and those of an analyst's own folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal

from analytics.features.header import Header, parse_header
from ares.errors import UnknownName
from ares.store.migrate import Statement, statements

Kind = Literal["feature", "signal"]

FOLDERS: dict[Kind, str] = {"feature": "features", "signal": "signals"}

_VERSIONED = re.compile(r"^(?P<name>[a-z][a-z0-9_]*)_v(?P<version>[1-9][0-9]*)$")
_WARM_UP = re.compile(r"@warm_up\s*:=\s*(\d+)")
_COMMENT = re.compile(r"--[^\n]*")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of a feature or signal. `warm_up_bars` is how many bars before its own a value rests on, at most."""

    kind: Kind
    name: str
    version: int
    comment: str
    sql: str
    warm_up_bars: int
    source: str = ""
    own: bool = False

    @property
    def view(self) -> str:
        """The name of its view, which is also its name as a column of a model."""
        return f"{self.name}_v{self.version}"

    @property
    def text(self) -> str:
        """Its SQL without comments."""
        return _COMMENT.sub("", self.sql)

    def reads(self, *names: str) -> bool:
        """Whether its own text names one of these tables or views."""
        return not set(names).isdisjoint(_WORD.findall(self.text))

    @property
    def waits_for_predictions(self) -> bool:
        """Whether it may rest on a model's scores of the same bar: of what an analyst wrote nobody knows."""
        return self.own or self.reads("predictions")

    def header(self) -> Header:
        """What it says of itself. Raises `UsageError` for a header that is not one."""
        return parse_header(self.source, self.sql)

    @property
    def reads_beyond_its_bars(self) -> bool:
        """Whether a value rests on more than its own symbol's bars: on ticks, or on those of a `leader`, as BTC is."""
        return self.reads("quotes", "books", "funding", "leader")

    @property
    def what(self) -> str:
        """Its first sentence: what it says."""
        sentence = self.comment.partition(": ")[2] or self.comment
        return re.split(r"(?<=[a-z)0-9])\. ", sentence, maxsplit=1)[0].rstrip(".") + "."


@dataclass(frozen=True)
class Catalog:
    """All features and signals that are deployed: ours, then an analyst's own."""

    features: tuple[Definition, ...]
    signals: tuple[Definition, ...]

    def of(self, kind: Kind) -> tuple[Definition, ...]:
        """Those of one kind."""
        return self.features if kind == "feature" else self.signals

    def one(self, name: str) -> Definition:
        """One by its name (the newest version) or by its versioned name. Raises `UnknownName`."""
        return one_of("feature", name, (*self.features, *self.signals))

    @cached_property
    def warm_up_bars_max(self) -> int:
        """How many bars before its own any value rests on, at most."""
        return max(d.warm_up_bars for d in self.features)


def definition_of(kind: Kind, view: Statement, *, own: bool = False) -> Definition | None:
    """The definition that a statement makes; None for an alias."""
    named = _VERSIONED.match(view.name)
    if named is None:
        return None
    warm_up = _WARM_UP.search(view.sql)
    bars = int(warm_up.group(1)) if warm_up else 0
    return Definition(kind, named["name"], int(named["version"]), view.comment, view.sql, bars, view.source, own)


@lru_cache
def definitions(kind: Kind) -> tuple[Definition, ...]:
    """All versions of all features or signals that Ares brings, in order of name and version."""
    folder = resources.files("analytics").joinpath("views").joinpath(FOLDERS[kind])
    return _sorted([definition_of(kind, view) for view in statements(folder)])


def own_definitions(kind: Kind, folder: Path | None) -> tuple[Definition, ...]:
    """All versions in an analyst's own folder, in order of name and version."""
    there = None if folder is None else folder / FOLDERS[kind]
    if there is None or not there.is_dir():
        return ()
    return _sorted([definition_of(kind, view, own=True) for view in statements(there)])


def catalog_of(folder: Path | None = None) -> Catalog:
    """Everything that is deployed, with an analyst's own folder or without."""
    return Catalog(
        (*definitions("feature"), *own_definitions("feature", folder)),
        (*definitions("signal"), *own_definitions("signal", folder)),
    )


def definition(kind: Kind, name: str) -> Definition:
    """One that Ares brings, by its name (the newest version) or its versioned name. Raises `UnknownName`."""
    return one_of(kind, name, definitions(kind))


def one_of(kind: Kind, name: str, known: Sequence[Definition]) -> Definition:
    """One of some, by its name (the newest version) or by its versioned name. Raises `UnknownName`."""
    matching = [d for d in known if name in {d.name, d.view}]
    if not matching:
        raise UnknownName(kind, name, sorted({d.name for d in known}))
    return max(matching, key=lambda d: d.version)


def _sorted(found: Sequence[Definition | None]) -> tuple[Definition, ...]:
    return tuple(sorted((d for d in found if d is not None), key=lambda d: (d.name, d.version)))
