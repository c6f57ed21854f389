"""Finds the kinds of errands that the installed packages offer."""

from __future__ import annotations

from ares.service.errands.spec import ErrandSpec
from ares.service.registry import load, names

GROUP = "ares.errands"


def errand(name: str) -> ErrandSpec:
    """The spec of one kind; only its package is imported. Raises `UnknownName`."""
    return load(GROUP, "errand", name, ErrandSpec)


def errands() -> list[ErrandSpec]:
    """All kinds, by name."""
    return [errand(name) for name in names(GROUP)]
