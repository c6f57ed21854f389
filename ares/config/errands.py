"""What takes long and was asked for over the API: what can be set."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ares.config.section import Count, Reloadable, Seconds, Section

DAY_S = 86_400.0
LIMIT_S_MAX = 7 * DAY_S
SAID_S = 2.0
"""From a process' end to its word in the control store, at most."""


class ErrandsConfig(Section):
    """The service `errands`, which carries out what people asked for by processes of its own."""

    at_once_max: Reloadable[Count] = Field(2, description="errands that are carried out at once; more wait")
    open_max: Reloadable[Count] = Field(50, description="errands that wait or are carried out; more are refused")
    wait_s_max: Reloadable[Annotated[float, Field(gt=0, le=DAY_S)]] = Field(
        3_600.0, description="what nobody began by then is not begun any more"
    )
    limits_s: Reloadable[dict[str, float]] = Field(
        default_factory=dict,
        description="how long an errand of a kind may take, a week at most; others: their own limit",
    )
    stop_s_max: Reloadable[Seconds] = Field(
        10.0, description="a process that was told to end has so long, then it is killed"
    )
    held_s: Annotated[float, Field(ge=1, le=600)] = Field(
        15.0, description="an errand whose runner says nothing for longer is lost"
    )
    reports_kept_max: Reloadable[Count] = Field(200, description="reports of backtests on disk; the oldest go first")

    @model_validator(mode="after")
    def _bounds_that_fit(self) -> Self:
        if self.held_s < self.stop_s_max + SAID_S:
            raise ValueError(f"held_s is shorter than stop_s_max + {SAID_S:.0f}: what is being ended would be lost")
        for kind, limit_s in self.limits_s.items():
            if not 0 < limit_s <= LIMIT_S_MAX:
                raise ValueError(f"limits_s.{kind} = {limit_s}: is not between 0 and {LIMIT_S_MAX:.0f}")
        return self
