"""A process that carries out one errand: a group of its own, its words bounded, ended with us at the latest."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Self

import orjson

from ares.control import Json
from ares.control.errands import End
from ares.redaction import redact
from ares.service.runner import end_with_parent

OUT_BYTES_MAX = 65_536
WORDS_CHARACTERS_MAX = 500
LINE_BYTES_MAX = 65_536
CHUNK_BYTES = 16_384
READ_S_MAX = 1.0
"""What was printed is there once its writers are gone, unless one of them left the group."""


class Child:
    """`ares …` as a child. What it prints is its outcome, the last line that it complains is why it failed."""

    def __init__(self, process: asyncio.subprocess.Process, hears: Callable[[str], bool]) -> None:
        self._process = process
        self._hears = hears
        self._out = bytearray()
        self._cut = False
        self._words = ""
        self._reading = asyncio.gather(self._read_out(), self._read_errors())
        self._over = asyncio.create_task(self._process.wait(), name="child")

    @classmethod
    async def start(cls, command: Sequence[str], environ: Mapping[str, str], hears: Callable[[str], bool]) -> Self:
        """Start it. `hears` is told each line of its standard error, and says whether that was for it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ares.cli", *command,
            env={**os.environ, **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )  # fmt: skip
        return cls(process, hears)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def over(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        await asyncio.wait({self._over}, timeout=seconds)
        return self._over.done()

    async def stop(self, patience_s: float) -> None:
        """End it and whatever it started: a word first, then by force."""
        self._signal(signal.SIGTERM)
        await self.over(patience_s)
        self._signal(signal.SIGKILL)
        await self._over
        await asyncio.wait({self._reading}, timeout=READ_S_MAX)
        self._reading.cancel()

    async def said(self) -> End:
        """What came of it: what it printed (JSON, or text) and its last complaint; once it was stopped or ended."""
        code = await self._over
        await asyncio.wait({self._reading})
        outcome = _outcome(bytes(self._out), cut=self._cut)
        return End("failed", outcome, self._words or f"ended with exit code {code}") if code else End("done", outcome)

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group: it stays as long as one of it is there, after its leader too."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _read_out(self) -> None:
        stream = self._process.stdout
        assert stream is not None, "a pipe was asked for"
        while chunk := await stream.read(CHUNK_BYTES):
            room = OUT_BYTES_MAX - len(self._out)
            self._out += chunk[:room]
            self._cut = self._cut or len(chunk) > room

    async def _read_errors(self) -> None:
        stream = self._process.stderr
        assert stream is not None, "a pipe was asked for"
        begun = b""
        while chunk := await stream.read(CHUNK_BYTES):
            *lines, begun = (begun + chunk).split(b"\n")
            begun = begun[-LINE_BYTES_MAX:]
            for line in lines:
                self._heard(line)
        self._heard(begun)

    def _heard(self, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if text and not self._hears(text):
            self._words = redact(text).removeprefix("error: ")[:WORDS_CHARACTERS_MAX]


def _outcome(out: bytes, *, cut: bool) -> Json:
    """What was printed: one row of a list as itself, text as text; None for nothing."""
    text = redact(out.decode(errors="replace")).strip()
    if cut or not text:
        return f"{text[:WORDS_CHARACTERS_MAX]} …" if cut else None
    try:
        said: Json = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text[:WORDS_CHARACTERS_MAX]
    return said[0] if isinstance(said, list) and len(said) == 1 else said
