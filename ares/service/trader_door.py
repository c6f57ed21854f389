"""Where a running trader leaves what others need to reach it."""

from __future__ import annotations

from pathlib import Path

from ares.errors import OperatingError


class NoTrader(OperatingError):
    """No trader's control port is here, or it did not do what it was asked for."""

    code = "no_trader"


def token_path(state_dir: Path) -> Path:
    """The bearer token of the control port; only its owner can read it."""
    return state_dir / "run" / "trader.token"


def address_path(state_dir: Path) -> Path:
    """On which host and port the control port listens."""
    return state_dir / "run" / "trader.address"
