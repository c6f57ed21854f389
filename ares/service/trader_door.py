"""Where a running trader leaves what its command line needs to reach it."""

from __future__ import annotations

from pathlib import Path


def token_path(state_dir: Path) -> Path:
    """The bearer token of the control port; only its owner can read it."""
    return state_dir / "run" / "trader.token"


def address_path(state_dir: Path) -> Path:
    """On which host and port the control port listens."""
    return state_dir / "run" / "trader.address"
