"""A program that is not ours, run from its package with our files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ares.errors import PortInUse, UsageError
from ares.files import write_whole
from ares.service.processes import ChildProcess, answers_ok
from ares.store.server import port_is_free

HOST = "127.0.0.1"
PUBLIC_MODE = 0o644


class Program(NamedTuple):
    """What is run and how it is told to be ready."""

    name: str
    """Of the process, and of its setting below `alerting`."""
    command: Sequence[str]
    port: int
    install: str
    ready_path: str = "/-/ready"
    environment: Mapping[str, str] = {}
    """Beside ours; secrets are told here, for everybody sees a command line."""
    depends_on: tuple[str, ...] = ()


class ProgramProcess(ChildProcess):
    """A program as a managed process; ready once its page of readiness answers."""

    def __init__(self, state_dir: Path, program: Program) -> None:
        super().__init__(program.name, program.depends_on, state_dir)
        self._program = program

    def spawn(self) -> None:
        """Raises `UsageError` with the way to get the program where it is missing, `PortInUse`."""
        asked, *arguments = self._program.command
        found = shutil.which(asked)
        if found is None:
            raise UsageError(f"alerting.{self.name} = {asked!r}: no such program. {self._program.install}")
        if not port_is_free(HOST, self._program.port):
            raise PortInUse(f"alerting.{self.name}_port", HOST, self._program.port)
        self.start([found, *arguments], {**os.environ, **self._program.environment})

    def ready(self) -> bool:
        return answers_ok(f"http://{HOST}:{self._program.port}{self._program.ready_path}")


def lay(source: Path, folder: Path, words: Mapping[str, str]) -> None:
    """Copy a text file into a folder with some words exchanged. Raises `OSError`."""
    text = source.read_text(encoding="utf-8")
    for usual, ours in words.items():
        text = text.replace(usual, ours)
    write_whole(folder / source.name, text.encode(), PUBLIC_MODE)
