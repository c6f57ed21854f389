"""What several commands open: the control store of this installation, a file to write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ares.clock import SystemClock
from ares.config import load_config
from ares.control import ControlStore
from ares.errors import UsageError
from ares.service import ServiceContext
from ares.store.server import make_dir


@contextmanager
def opened_control(*, new: bool = False) -> Iterator[tuple[ServiceContext, ControlStore]]:
    """The control store that the settings name, closed at the end of the block. `new`: where nothing ever ran, too."""
    context = ServiceContext(load_config(), SystemClock(), "cli")
    if new:
        make_dir(context.state_dir)
    control = ControlStore.open(context.control_url)
    try:
        yield context, control
    finally:
        control.close()


def created(path: Path) -> BinaryIO:
    """A new file. Raises `UsageError` if it cannot be written."""
    try:
        return path.open("wb")
    except OSError as error:
        raise UsageError(f"out = {str(path)!r}: {error.strerror}. Choose a file that can be written") from None
