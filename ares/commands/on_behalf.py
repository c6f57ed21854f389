"""For whom a command works that an errand may run."""

from __future__ import annotations

from ares.clock import SystemClock
from ares.commands.who import operator
from ares.config import AresConfig
from ares.service import ServiceContext
from ares.service.errands.asker import asker


def asked_by(config: AresConfig) -> str:
    """Who asked for the errand that this process carries out, as the control store knows it; else the operator.

    Raises `UsageError` for a process that only says so. What needs two people goes by `operator` alone.
    """
    return asker(ServiceContext(config, SystemClock(), "cli")) or operator()
