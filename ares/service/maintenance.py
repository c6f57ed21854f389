"""A maintenance window: said who works on the platform until when, so that alarms and new risk wait.

Stream `maintenance`. A window ends by itself; a new one takes the place of the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ares.clock import NANOS_PER_SECOND, Clock
from ares.config import AresConfig
from ares.control import AuditEntry, ControlStore, Json, NewEvent, StoredEvent, until_it_fits
from ares.events import Event, EventRegistry, EventType
from ares.events.projection import Projection
from ares.model.row import Row, UtcNs
from ares.store import load_queries

STREAM = "maintenance"


@dataclass(frozen=True, slots=True)
class WindowOpened:
    """Somebody works on the platform until then (UTC ns)."""

    who: str
    why: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class WindowClosed:
    """The work was done before its time."""

    who: str
    why: str


OPENED = EventType(
    "maintenance", "opened", WindowOpened("operator", "move to a larger disk", 1_795_464_293_000_000_000)
)
CLOSED = EventType("maintenance", "closed", WindowClosed("operator", "done"))
TYPES = (OPENED, CLOSED)
REGISTRY = EventRegistry(TYPES)


@dataclass(frozen=True, slots=True)
class Window:
    """A window that is open."""

    who: str
    why: str
    since_ns: int
    until_ns: int


class Maintenance:
    """Opens, closes and finds windows. Every method raises `ControlUnavailable` if the store cannot be reached.

    Keep it where it is asked often: it reads only what was said since.
    """

    def __init__(self, control: ControlStore, clock: Clock) -> None:
        self._control = control
        self._clock = clock
        self._newest: StoredEvent | None = None

    def current(self) -> Window | None:
        """The window that is open now."""
        newest = self._read()
        if newest is None:
            return None
        body = REGISTRY.read(newest).body
        if not isinstance(body, WindowOpened) or body.until_ns <= self._clock.now_ns():
            return None
        return Window(body.who, body.why, newest.ts_ns, body.until_ns)

    def open(self, who: str, why: str, seconds: float) -> Window:
        """Open a window from now on, in place of one that is open."""
        now_ns = self._clock.now_ns()
        said = WindowOpened(who, why, now_ns + round(seconds * NANOS_PER_SECOND))
        self._append(said, OPENED.new(said, now_ns))
        return Window(who, why, now_ns, said.until_ns)

    def close(self, who: str, why: str) -> bool:
        """Close the window that is open; False if none is."""
        if self.current() is None:
            return False
        said = WindowClosed(who, why)
        self._append(said, CLOSED.new(said, self._clock.now_ns()))
        return True

    def _read(self) -> StoredEvent | None:
        """The last that was said."""
        for event in self._control.stream(STREAM, self._seq(self._newest)):
            self._newest = event
        return self._newest

    @staticmethod
    def _seq(event: StoredEvent | None) -> int:
        return 0 if event is None else event.seq

    def _append(self, said: WindowOpened | WindowClosed, event: NewEvent) -> None:
        after: dict[str, Json] = {"state": event.type}
        if isinstance(said, WindowOpened):
            after["until_ns"] = said.until_ns
        entry = AuditEntry("maintenance", said.who, STREAM, event.ts_ns, after=after, why=said.why)

        def say() -> None:
            seq = self._seq(self._read())
            row = window_row(said, event.ts_ns, seq + 1)
            self._control.append(STREAM, [event], expected_seq=seq, mirror=[row], audit=[entry])

        until_it_fits(STREAM, say)


def window_row(said: WindowOpened | WindowClosed, ts_ns: int, seq: int) -> Row:
    """What was said, as the row that analysts read."""
    until = UtcNs(said.until_ns) if isinstance(said, WindowOpened) else None
    state = "closed" if until is None else "opened"
    return Row("maintenance", ts_ns, {"state": state, "who": said.who}, {"seq": seq, "why": said.why, "until": until})


class MaintenanceProjection:
    """The table `maintenance`."""

    name = "maintenance"
    categories: Sequence[str] = ("maintenance",)
    live: Mapping[str, str] = load_queries("ares.service", "maintenance_live.sql")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        for event in events:
            assert isinstance(event.body, WindowOpened | WindowClosed), "nothing else is in this stream"
            yield window_row(event.body, event.stored.ts_ns, event.stored.seq)


def projections(_: AresConfig) -> Sequence[Projection]:
    """What windows are projected to."""
    return [MaintenanceProjection()]
