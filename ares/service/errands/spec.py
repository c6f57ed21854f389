"""Kinds of errands, as packages offer them (entry-point group `ares.errands`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ares.config import AresConfig
from ares.control import Json
from ares.errors import UsageError
from ares.model.progress import Progress, told
from ares.security.access.roles import Permission, Scope
from ares.security.access.state import User

Reason = Annotated[
    str,
    Field(
        min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$", description="goes into rows and the audit chain"
    ),
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an errand is carried out: its id, and the folder for reports that others may be shown."""

    errand_id: str
    reports: Path

    @property
    def report(self) -> Path:
        """The page that this errand may write."""
        return self.reports / f"{self.errand_id}.html"


class Arguments(BaseModel, ABC):
    """What an errand is asked for with: strict, bounded, by patterns. Kept in rows: it holds no secret.

    Each goes into the command line as `--name=value`, or behind `--`, so that none is ever read as an option.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)

    @abstractmethod
    def command(self, place: Place) -> Sequence[str]:
        """The arguments of `ares` that do it."""

    def concerns(self) -> str | None:
        """The one strategy that it is about; None: it is about all."""
        return None

    def within(self, scope: Scope, account: str) -> bool:
        """Whether what it is about lies within a scope, in the installation of an account."""
        strategy = self.concerns()
        if strategy is None:
            return scope.strategies is None and scope.covers(account=account)
        return scope.covers(strategy=strategy)

    def require_known(self, config: AresConfig) -> None:
        """Raises `UsageError` for what does not exist here, before anything is kept."""

    def tree(self) -> dict[str, Json]:
        """As it is kept."""
        tree: dict[str, Json] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return tree


@dataclass(frozen=True, slots=True)
class ErrandSpec:
    """A kind of errand. `path`: where it is asked for, below the API's root; {names} in it are arguments, all others
    are the body. `limit_s`: it may take so long. `progress`: what a line of its standard error tells.
    """

    name: str
    purpose: str
    permission: Permission
    path: str
    arguments: type[Arguments]
    limit_s: float
    progress: Callable[[str], Progress | None] = told

    def kept(self, arguments: Mapping[str, Json]) -> Arguments:
        """What was kept, checked again: another release may have kept it. Raises `UsageError`."""
        try:
            return self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}. Ask again") from None


def may(user: User, spec: ErrandSpec, arguments: Arguments, account: str) -> bool:
    """Whether somebody may still have this done: they are there, their role allows it, it is within their scope.

    `account`: whose installation this is.
    """
    allowed = user.seq > 0 and user.enabled and spec.permission in user.permissions
    return allowed and arguments.within(user.scope, account)


def reports_dir(state_dir: Path) -> Path:
    """The folder of pages that errands write and the API shows."""
    return state_dir / "reports"
