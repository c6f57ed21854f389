"""The one door to numba: functions compiled once and kept beside the code, or in the user's cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function as machine code, made at its first call; where no folder can be written, anew in every process."""
    try:
        return cast("Callable[P, R]", numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:  # numba found no folder for its cache
        return cast("Callable[P, R]", numba.njit(error_model="numpy")(function))
