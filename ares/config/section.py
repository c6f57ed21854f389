"""What every section of the settings is made of."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class TakenUpWhileRunning:
    """Marks a setting that running services take up as soon as it changes; all others wait for a restart."""


T = TypeVar("T")
Reloadable = Annotated[T, TakenUpWhileRunning()]


class Section(BaseModel):
    """Frozen; a key nobody declared is an error, not a silent no-op."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def require_order(least: float, most: float, names: str) -> None:
    """Raises `ValueError` if a range is upside down."""
    if least > most:
        raise ValueError(f"{names}: the least wait ({least} s) is longer than the longest ({most} s)")
