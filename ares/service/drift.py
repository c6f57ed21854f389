"""Do the services that run here work by the settings that the files say?"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from ares.config import AresConfig
from ares.config.changes import fingerprint

ASK_S_MAX = 2.0


@dataclass(frozen=True, slots=True)
class Drift:
    """One service. `state`: in_step, waits_for_restart, behind (has not read the files as they are), no_answer."""

    service: str
    pid: int
    state: str
    waiting: tuple[str, ...] = ()


def drifts(config: AresConfig) -> list[Drift]:
    """Every service with a card in the state directory, by what its own door says."""
    wanted = fingerprint(config)
    return [_drift(name, pid, port, wanted) for name, pid, port in _cards(config.environment.state_dir)]


def _drift(name: str, pid: int, port: int, wanted: str) -> Drift:
    try:
        with urlopen(f"http://127.0.0.1:{port}/config", timeout=ASK_S_MAX) as answer:
            said = json.loads(answer.read())
    except (URLError, OSError, ValueError):
        return Drift(name, pid, "no_answer")
    if said["wanted"] != wanted:
        return Drift(name, pid, "behind")
    waiting = tuple(said["waiting"])
    return Drift(name, pid, "waits_for_restart" if waiting else "in_step", waiting)


def ask_to_reload(config: AresConfig) -> list[str]:
    """Send SIGHUP to every service that runs here; returns their names."""
    names = []
    for name, pid, _ in _cards(config.environment.state_dir):
        os.kill(pid, signal.SIGHUP)
        names.append(name)
    return names


def _cards(state_dir: Path) -> Iterator[tuple[str, int, int]]:
    for card in sorted((state_dir / "run").glob("*.json")):
        try:
            body = json.loads(card.read_text(encoding="utf-8"))
            name, pid, port = card.stem, int(body["pid"]), int(body["port"])
        except (OSError, ValueError, KeyError):
            continue
        if psutil.pid_exists(pid):
            yield name, pid, port
