"""What the last backups and checks were like: kept in a file, shown as metrics, and as a text file for Prometheus."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import cast

import orjson
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ares.files import write_whole
from ares.telemetry import metrics

SHOWN: dict[str, Gauge] = {
    "success": metrics.BACKUP_SUCCESS,
    "covers_to": metrics.BACKUP_COVERS_TO,
    "duration_s": metrics.BACKUP_SECONDS,
    "bytes_total": metrics.BACKUP_BYTES,
    "bytes_added": metrics.BACKUP_ADDED_BYTES,
    "failed": metrics.BACKUP_FAILED,
    "sound": metrics.BACKUP_SOUND,
}
"""Figures that are shown, and the metric that does; label `kind`: a kind of backup, `check`, `prune` or `drill`."""

Figures = dict[str, float]


class Memory:
    """The figures of one installation, by kind of work: a kind of backup, or `check`."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / "backup" / "state.json"
        self._textfile = state_dir / "metrics" / "backup.prom"
        self._figures = self._read()
        self._show()

    def get(self, kind: str, name: str, default: float = 0.0) -> float:
        """A figure as it was last kept."""
        return self._figures.get(kind, {}).get(name, default)

    def kinds(self) -> list[str]:
        """Of which kinds of work there are figures; what other processes kept is read again."""
        self._figures = self._read()
        self._show()
        return sorted(self._figures)

    def keep(self, kind: str, **figures: float) -> None:
        """Remember figures, and show them."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._textfile.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # jobs of other processes keep theirs, at the same moment perhaps
            self._figures = self._read()
            self._figures.setdefault(kind, {}).update(figures)
            write_whole(self._file, orjson.dumps(self._figures), 0o600)
            self._show()
            write_whole(self._textfile, _text(), 0o644)

    def _read(self) -> dict[str, Figures]:
        try:
            return cast("dict[str, Figures]", orjson.loads(self._file.read_bytes()))
        except (OSError, ValueError):
            return {}

    def _show(self) -> None:
        for kind, figures in self._figures.items():
            for name, value in figures.items():
                gauge = SHOWN.get(name)
                if gauge is not None:
                    gauge.labels(kind).set(value)


def _text() -> bytes:
    registry = CollectorRegistry()
    for gauge in SHOWN.values():
        registry.register(gauge)
    return generate_latest(registry)
