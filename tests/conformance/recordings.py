"""Where recordings lie, and the lines of those who made them."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from tests.conftest import shared_folder

OURS = Path(__file__).resolve().parents[2] / "simulator" / "recordings"


@cache
def cryptofeed(name: str) -> list[bytes]:
    """What a venue sent, by cryptofeed's capture ("<seconds>: <text>"); nothing where it is not at hand."""
    path = shared_folder() / "raw_ws" / "cryptofeed" / name
    if not path.exists():
        return []
    with gzip.open(path, "rb") as lines:
        parts = [line.strip().partition(b": ") for line in lines]
    return [text for stamp, _, text in parts if stamp.replace(b".", b"").isdigit()]


@cache
def hftbacktest(path: Path) -> list[bytes]:
    """What a venue sent, by hftbacktest's capture ("<ns> <text>"); nothing where it is not at hand."""
    if not path.exists():
        return []
    with gzip.open(path, "rb") as lines:
        return [line.strip().partition(b" ")[2] for line in lines]
