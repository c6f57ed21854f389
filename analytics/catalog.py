"""Which features and signals there are: the versioned views below `views/`, read from their own files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal

from ares.errors import UnknownName
from ares.store.migrate import Statement, statements

Kind = Literal["feature", "signal"]

_VERSIONED = re.compile(r"^(?P<name>[a-z][a-z0-9_]*)_v(?P<version>[1-9][0-9]*)$")
_WARM_UP = re.compile(r"@warm_up\s*:=\s*(\d+)")
_COMMENT = re.compile(r"--[^\n]*")
_WORD = re.compile(r"\w+")
_FOLDERS: dict[Kind, str] = {"feature": "views/features", "signal": "views/signals"}


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of a feature or signal. `warm_up_bars` is how many bars before its own a value rests on, at most."""

    kind: Kind
    name: str
    version: int
    comment: str
    sql: str
    warm_up_bars: int

    @property
    def view(self) -> str:
        """The name of its view, which is also its name as a column of a model."""
        return f"{self.name}_v{self.version}"

    def reads(self, *names: str) -> bool:
        """Whether its own text names one of these tables or views."""
        return not set(names).isdisjoint(_WORD.findall(_COMMENT.sub("", self.sql)))

    @property
    def what(self) -> str:
        """Its first sentence: what it says."""
        sentence = self.comment.partition(": ")[2] or self.comment
        return re.split(r"(?<=[a-z)0-9])\. ", sentence, maxsplit=1)[0].rstrip(".") + "."


def definition_of(kind: Kind, view: Statement) -> Definition | None:
    """The definition that a statement makes; None for an alias."""
    named = _VERSIONED.match(view.name)
    if named is None:
        return None
    warm_up = _WARM_UP.search(view.sql)
    bars = int(warm_up.group(1)) if warm_up else 0
    return Definition(kind, named["name"], int(named["version"]), view.comment, view.sql, bars)


@lru_cache
def definitions(kind: Kind) -> tuple[Definition, ...]:
    """All versions of all features or signals, in order of name and version."""
    folder = resources.files("analytics").joinpath(_FOLDERS[kind])
    found = [definition_of(kind, view) for view in statements(folder)]
    return tuple(sorted((d for d in found if d is not None), key=lambda d: (d.name, d.version)))


def definition(kind: Kind, name: str) -> Definition:
    """One by its name (the newest version) or by its versioned name. Raises `UnknownName`."""
    matching = [d for d in definitions(kind) if name in {d.name, d.view}]
    if not matching:
        raise UnknownName(kind, name, [d.name for d in definitions(kind)])
    return max(matching, key=lambda d: d.version)
