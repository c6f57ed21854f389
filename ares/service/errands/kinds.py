"""Errands of the kernel: jobs, and changes of the settings."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, model_validator

from ares.config import AresConfig
from ares.config.fields import is_setting, may_hold_secret
from ares.errors import UnknownName
from ares.model.progress import logged
from ares.security.access.roles import Permission
from ares.service.errands.spec import Arguments, ErrandSpec, Place, Reason
from ares.service.registry import job_names


class JobWish(Arguments):
    """Run a job now."""

    job: str = Field(max_length=100, pattern=r"^[a-z][a-z0-9-]*$", examples=["backup"])

    def command(self, place: Place) -> Sequence[str]:  # noqa: ARG002 - a job writes no page
        return "job", "run", "--json", "--", self.job

    def require_known(self, config: AresConfig) -> None:  # noqa: ARG002 - jobs are those of the installed packages
        if self.job not in job_names():
            raise UnknownName("job", self.job, job_names())


class ConfigChange(Arguments):
    """Change a setting. One that may hold a secret cannot be changed so: what is asked for is kept in rows."""

    field: str = Field(
        max_length=200, pattern=r"^[a-z][a-z0-9_]*(\.[A-Za-z0-9_-]+)+$", examples=["trading.risk.price_collar"]
    )
    value: str = Field(
        max_length=2_000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$", description="as in TOML", examples=["0.02"]
    )
    reason: Reason

    @model_validator(mode="after")
    def _no_secret(self) -> ConfigChange:
        if not is_setting(self.field):
            raise ValueError(f"field = {self.field!r}: no such setting. See docs/reference/config.md")
        if may_hold_secret(self.field, self.value):
            raise ValueError(f"field = {self.field!r}: may hold a secret. Set it by variable or secret store")
        return self

    def command(self, place: Place) -> Sequence[str]:  # noqa: ARG002 - a change writes no page
        return "config", "set", "--json", f"--why={self.reason}", "--", self.field, self.value


class ConfigRollback(Arguments):
    """Go back to the settings of a version, secrets excepted."""

    version: int = Field(ge=1, le=10**9, examples=[3])
    reason: Reason

    def command(self, place: Place) -> Sequence[str]:  # noqa: ARG002 - a change writes no page
        return "config", "rollback", "--json", f"--why={self.reason}", "--", str(self.version)


JOB = ErrandSpec(
    "job", "Run a job now.", Permission.RUN_JOBS, "/jobs/{job}/runs", JobWish, limit_s=14_400.0, progress=logged
)
CONFIG_SET = ErrandSpec(
    "config-set", "Change a setting of this installation.", Permission.CHANGE_CONFIG, "/config/changes", ConfigChange,
    limit_s=120.0,
)  # fmt: skip
CONFIG_ROLLBACK = ErrandSpec(
    "config-rollback", "Go back to the settings of a version.", Permission.CHANGE_CONFIG, "/config/rollbacks",
    ConfigRollback, limit_s=120.0,
)  # fmt: skip
