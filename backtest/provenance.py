"""Which code and settings a backtest ran by, as one hash: with the hash of its rows it names the result."""

from __future__ import annotations

import hashlib
from importlib import resources
from importlib.abc import Traversable

PARTS = (("trader", ""), ("simulator", "matching"), ("backtest", ""), ("ares", "model"), ("ares", "config"))
"""Packages, and the folder in them, that decide what comes out."""
KINDS = (".py", ".sql")


def code_hash(*said: str) -> str:
    """SHA-256 over the files of `PARTS`, and over what else decides: a view's text, settings."""
    digest = hashlib.sha256()
    for package, folder in PARTS:
        root = resources.files(package)
        _add(digest, root.joinpath(folder) if folder else root, package)
    for text in said:
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


def _add(digest: hashlib._Hash, folder: Traversable, name: str) -> None:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            _add(digest, entry, path)
        elif entry.name.endswith(KINDS):
            digest.update(f"{path}:".encode())
            digest.update(entry.read_bytes())
