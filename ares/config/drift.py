"""Watching models in use: what can be set."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ares.config.section import Count, Reloadable, Section


class DriftLimit(Section):
    """Above what an observation is graded so."""

    warn: float
    fail: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.warn > self.fail:
            raise ValueError(f"warn ({self.warn}) is above fail ({self.fail})")
        return self


class DriftConfig(Section):
    """The job `drift`: how versions in use are watched, and when what is observed warns or fails."""

    cron: str = "*/10 * * * *"
    window_minutes: Reloadable[Count] = Field(1_440, description="how far back each run looks")
    rows_min: Reloadable[Count] = Field(200, description="of fewer rows nothing is graded")
    psi: Reloadable[DriftLimit] = Field(
        DriftLimit(warn=0.25, fail=1.0), description="stability index of a feature, from training to the window"
    )
    ks: Reloadable[DriftLimit] = Field(
        DriftLimit(warn=0.25, fail=0.5), description="Kolmogorov-Smirnov distance of a feature, 0 to 1"
    )
    missing_rate: Reloadable[DriftLimit] = Field(
        DriftLimit(warn=0.2, fail=0.5), description="share of the window's bars without a feature that is asked for"
    )
    score_psi: Reloadable[DriftLimit] = Field(
        DriftLimit(warn=0.25, fail=1.0), description="stability index of the scores, from the test to the window"
    )
    calibration: Reloadable[DriftLimit] = Field(
        DriftLimit(warn=0.1, fail=0.2), description="expected calibration error of scores whose outcome is known"
    )
    log_loss_worse: Reloadable[DriftLimit] = Field(
        DriftLimit(warn=0.03, fail=0.1), description="nats a row above the log-loss of the version's own test"
    )
    clock_features: Reloadable[tuple[str, ...]] = Field(
        ("time_of_day_",), description="features that begin so follow the clock: their distance says nothing"
    )
