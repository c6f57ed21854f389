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
class Card:
    """What a service left in the state directory: its process, and the port of its own door."""

    service: str
    pid: int
    port: int


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
    return [_drift(card, wanted) for card in cards(config.environment.state_dir)]


def _drift(card: Card, wanted: str) -> Drift:
    try:
        with urlopen(f"http://127.0.0.1:{card.port}/config", timeout=ASK_S_MAX) as answer:
            said = json.loads(answer.read())
    except (URLError, OSError, ValueError):
        return Drift(card.service, card.pid, "no_answer")
    if said["wanted"] != wanted:
        return Drift(card.service, card.pid, "behind")
    waiting = tuple(said["waiting"])
    return Drift(card.service, card.pid, "waits_for_restart" if waiting else "in_step", waiting)


def ask_to_reload(config: AresConfig) -> list[str]:
    """Send SIGHUP to every service that runs here; returns their names."""
    names = []
    for card in cards(config.environment.state_dir):
        os.kill(card.pid, signal.SIGHUP)
        names.append(card.service)
    return names


def cards(state_dir: Path) -> Iterator[Card]:
    """Those of services that run; not the supervisor's, nor QuestDB's, which have no door of ours."""
    for card in sorted((state_dir / "run").glob("*.json")):
        try:
            body = json.loads(card.read_text(encoding="utf-8"))
            found = Card(card.stem, int(body["pid"]), int(body["port"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # gone meanwhile, or no card: others keep their notes there too
        if psutil.pid_exists(found.pid):
            yield found
