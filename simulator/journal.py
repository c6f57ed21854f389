"""The account's memory: every event on disk before anybody hears of it, so that a killed exchange goes on."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from io import FileIO
from pathlib import Path
from typing import Generic, TypeVar, cast

import orjson
from pydantic import TypeAdapter

from ares.errors import StateDirUnusable
from ares.telemetry import get_logger
from simulator.matching.types import Accepted, Amended, Closed, Event, Filled, Tracked, Triggered

KINDS: dict[str, type[Event]] = {
    "accepted": Accepted,
    "tracked": Tracked,
    "triggered": Triggered,
    "amended": Amended,
    "filled": Filled,
    "closed": Closed,
}
OPENING = "opening"
E = TypeVar("E")

log = get_logger(__name__)


class EventJournal(Generic[E]):
    """JSON lines, one per decision, fsynced. The first line holds the opening balances.

    A last line that was cut off by a crash was never answered to anybody and is removed; anything else that cannot be
    read raises `StateDirUnusable`.
    """

    def __init__(self, path: Path, kinds: Mapping[str, type[E]]) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._names = {kind: name for name, kind in kinds.items()}
        self._kinds: dict[str, TypeAdapter[E]] = {name: TypeAdapter(kind) for name, kind in kinds.items()}

    def open(self, opening: Mapping[str, Decimal]) -> tuple[Mapping[str, Decimal], list[E]]:
        """Read what happened, or begin with `opening`. Returns the opening balances that count, and all events."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
            return self._recover(opening)
        except OSError as error:
            self.close()
            raise StateDirUnusable(str(self._path), error.strerror or str(error)) from None
        except (ValueError, KeyError, TypeError, ArithmeticError):
            self.close()
            raise StateDirUnusable(str(self._path), "is not an exchange journal") from None

    def append(self, events: Sequence[E]) -> None:
        """One decision; returns when it is on disk. Raises `StateDirUnusable`."""
        try:
            self._write({"events": [self._to_json(event) for event in events]})
        except OSError as error:
            raise StateDirUnusable(str(self._path), error.strerror or str(error)) from None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _recover(self, opening: Mapping[str, Decimal]) -> tuple[Mapping[str, Decimal], list[E]]:
        assert self._file is not None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EWOULDBLOCK, "another exchange writes to it") from None
        kept = self._read()
        if kept:
            return _opening(kept[0]), [event for line in kept[1:] for event in self._events(line)]
        self._write({OPENING: {asset: str(amount) for asset, amount in opening.items()}})
        return opening, []

    def _write(self, line: Mapping[str, object]) -> None:
        assert self._file is not None, "open() comes first"
        content = orjson.dumps(line) + b"\n"
        before = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(content) != len(content):
                raise OSError(errno.ENOSPC, "no space left for a whole line")
            os.fsync(self._file.fileno())
        except OSError:
            os.truncate(self._path, before)  # half a line must not be glued to the next one
            raise

    def _read(self) -> list[bytes]:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            log.warning("journal_tail_removed", path=str(self._path), bytes=len(content) - whole)
            os.truncate(self._path, whole)
        return content[:whole].splitlines()

    def _to_json(self, event: E) -> dict[str, object]:
        name = self._names[type(event)]
        return {"event": name, **cast("dict[str, object]", self._kinds[name].dump_python(event, mode="json"))}

    def _events(self, line: bytes) -> list[E]:
        rows = cast("dict[str, list[dict[str, object]]]", orjson.loads(line))["events"]
        return [self._kinds[str(fields.pop("event"))].validate_python(fields) for fields in rows]


class Journal(EventJournal[Event]):
    """The spot account's."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, KINDS)


def _opening(line: bytes) -> dict[str, Decimal]:
    balances = cast("dict[str, dict[str, str]]", orjson.loads(line))[OPENING]
    return {asset: Decimal(amount) for asset, amount in balances.items()}
