"""What is decided of models over the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from ares.config import AresConfig
from ares.errors import UnknownName
from ares.security.access.roles import Permission
from ares.service.errands.spec import Arguments, ErrandSpec, Place, Reason

Version = Annotated[
    str, Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", examples=["20260301T120000.123"])
]


class _OfModel(Arguments):
    model: str = Field(max_length=100, pattern=r"^[a-z][a-z0-9_-]*$", examples=["direction"])
    reason: Reason

    def require_known(self, config: AresConfig) -> None:
        if self.model != config.training.model:
            raise UnknownName("model", self.model, [config.training.model])


class Promotion(_OfModel):
    """Let a version of a model into a stage, past the gate."""

    version: Version
    stage: Literal["candidate", "challenger", "champion"] = "champion"

    def command(self, place: Place) -> Sequence[str]:  # noqa: ARG002 - a decision writes no page
        """As `ares models promote`."""
        return "models", "promote", "--json", f"--why={self.reason}", f"--stage={self.stage}", "--", self.version


class ModelRollback(_OfModel):
    """Let an earlier champion be champion again."""

    to: Version | None = Field(None, description="an earlier champion; null: the one before")

    def command(self, place: Place) -> Sequence[str]:  # noqa: ARG002 - a decision writes no page
        """As `ares models rollback`."""
        return "models", "rollback", f"--why={self.reason}", *([] if self.to is None else [f"--to={self.to}"])


PROMOTE = ErrandSpec(
    "model-promote", "Let a version of a model into a stage, if it passes the gate.", Permission.PROMOTE_MODELS,
    "/models/{model}/promotions", Promotion, limit_s=900.0,
)  # fmt: skip
ROLLBACK = ErrandSpec(
    "model-rollback", "Let an earlier champion be champion again.", Permission.PROMOTE_MODELS,
    "/models/{model}/rollbacks", ModelRollback, limit_s=900.0,
)  # fmt: skip
