"""For whom a process works: what the runner of errands gives its children, which speak in the asker's name by it."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass, field
from typing import Self

from ares.control import ControlStore
from ares.control.errands import ErrandStore
from ares.errors import UsageError
from ares.service.types import ServiceContext

VARIABLE = "ARES_ERRAND"


@dataclass(frozen=True, slots=True)
class Pass:
    """Proves that a process carries out an errand: only its hash is kept, and only while the errand is held."""

    errand_id: str
    token: str = field(repr=False)

    @classmethod
    def new(cls, errand_id: str) -> Self:
        """A pass that nobody can guess."""
        return cls(errand_id, secrets.token_urlsafe(32))

    @classmethod
    def read(cls, text: str) -> Self:
        """One as it stands in the environment."""
        errand_id, _, token = text.partition(":")
        return cls(errand_id, token)

    @property
    def text(self) -> str:
        """As a child finds it in its environment."""
        return f"{self.errand_id}:{self.token}"

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.token.encode()).hexdigest()


def asker(context: ServiceContext) -> str | None:
    """Who asked for the errand that this process carries out; None: it carries out none.

    The variable is believed only with a token that the control store knows of an errand that is being carried out: who
    could read it, could write the store as well. Raises `UsageError` for any other.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    shown = Pass.read(text)
    control = ControlStore.open(context.control_url)
    try:
        name = ErrandStore(control).asker(shown.errand_id, shown.hash, context.clock.now_ns())
    finally:
        control.close()
    if name is None:
        raise UsageError(f"{VARIABLE}: names no errand that is being carried out now. Unset it")
    return name
