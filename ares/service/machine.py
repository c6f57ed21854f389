"""What a process tells of the machine below it: room on the disk of its state, and whether its clock is kept right."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from ares.service.timekeeping import clock_synchronised
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)


def tell_machine(state_dir: Path) -> None:
    """Set the gauges of disk (bytes) and clock. A disk that cannot be asked is logged and keeps its last figures."""
    kept = clock_synchronised()
    metrics.CLOCK_SYNCHRONISED.set(math.nan if kept is None else float(kept))
    try:
        disk = shutil.disk_usage(state_dir)
    except OSError as error:
        log.warning("disk_not_measured", cause=str(error))
        return
    metrics.DISK_FREE.set(disk.free)
    metrics.DISK_SIZE.set(disk.total)
