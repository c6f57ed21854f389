"""Checks of stored data: what can be set."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ares.config.section import Count, Reloadable, Seconds, Section


class QualityLimit(Section):
    """Above what an observation is graded so; without `fail` it never fails."""

    warn: float
    fail: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.fail is not None and self.warn > self.fail:
            raise ValueError(f"warn ({self.warn}) is above fail ({self.fail})")
        return self


class QualityConfig(Section):
    """The graded checks of stored data; `limits` by the name of a check replace its own."""

    every_s: Reloadable[Seconds] = 300.0
    span_minutes: Reloadable[Count] = Field(60, description="how far back each run looks")
    limits: Reloadable[dict[str, QualityLimit]] = Field(default_factory=dict)
