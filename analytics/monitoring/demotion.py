"""Taking a version out of use that drifted away."""

from __future__ import annotations

from typing import Protocol


class Demoter(Protocol):
    """Decides and records who is in use. Raises `OperatingError`."""

    async def demote(self, model: str, version: str, reason: str) -> bool:
        """Take a version out of use; False if it stays, for nobody may decide that here or nobody could follow it."""
        ...
