"""Environments of peers that want other versions than the rest: `bench/peers/<name>` with its own lock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).resolve().parent / "peers"


def environment(name: str, version: str = "") -> Path:
    """The Python of a peer's environment, set up the first time; `version` where it wants another than ours."""
    folder = PEERS / name
    python = folder / ".venv" / "bin" / "python"
    if not python.exists():
        uv = Path(sys.executable).parent / "uv"
        words = ["sync", "--frozen", "--quiet", "--project", str(folder)]
        chosen = ["--python", python_of(version)] if version else []
        if subprocess.run([str(uv), *words, *chosen], check=False).returncode != 0:
            raise SystemExit(f"{name} needs Python {version}: install it, or name it in UV_PYTHON")
    return python


def python_of(version: str) -> str:
    """What a peer runs on: as told, one that pyenv has, or whatever uv finds or fetches."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    kept = sorted((root / "versions").glob(f"{version}.*/bin/python"))
    return os.environ.get("UV_PYTHON") or (str(kept[-1]) if kept else version)
