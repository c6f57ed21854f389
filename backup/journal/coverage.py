"""Which rows of the control store a market backup has, so that a restore hands out again those that it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from ares.control import ControlStore
from ares.control.mirror import COVERED, COVERED_TWICE
from ares.control.mirror import CURSOR as OUTBOX_CURSOR
from ares.control.second_copy import LINE, LINE_SINCE
from ares.events.mirror import CURSOR as EVENTS_CURSOR

FEEDS: Mapping[str, str] = {"outbox": OUTBOX_CURSOR, "events": EVENTS_CURSOR}
"""Word in a snapshot's tags → cursor of the feed."""

WORDS = (*FEEDS, "at_ns", "line", "since_ns")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far the feeds had come, and when: QuestDB had acknowledged all up to there.

    `line`: the restore after which it was made, 0 if there was none; `since_ns`: the market backup that this restore
    took. What was backed up after that one and before the restore belongs to another history.
    """

    outbox: int = 0
    events: int = 0
    at_ns: int = 0
    line: int = 0
    since_ns: int = 0

    @classmethod
    def now(cls, control: ControlStore, at_ns: int) -> Self:
        """To be asked before QuestDB's WAL is applied and its checkpoint made: what comes after may be in it or not."""
        cursors = control.cursors()
        outbox, events = (cursors.get(name, 0) for name in FEEDS.values())
        return cls(outbox, events, at_ns, cursors.get(LINE, 0), cursors.get(LINE_SINCE, 0))

    @classmethod
    def of(cls, tags: Sequence[str]) -> Self:
        """What a snapshot says of itself; one that says nothing covers nothing, and all that is kept is handed out."""
        found = dict(tag.split("=", 1) for tag in tags if "=" in tag)
        return cls(**{word: int(found[word]) for word in WORDS if found.get(word, "").isdecimal()})

    @property
    def known(self) -> bool:
        """False where QuestDB was behind: nobody can tell then what is in it."""
        return self.at_ns > 0

    @property
    def tags(self) -> list[str]:
        """For the snapshot."""
        return [f"{word}={getattr(self, word)}" for word in WORDS]


def keep_until_covered(control: ControlStore) -> None:
    """From now on mirrored rows stay in the outbox until market backups have them. A second time changes nothing."""
    for name in (COVERED, COVERED_TWICE):
        control.begin(name, at_end=False)


def covered(control: ControlStore, coverage: Coverage) -> None:
    """A market backup succeeded. Rows that it and the one before have need not be kept any longer."""
    control.advance(COVERED_TWICE, control.cursor(COVERED))
    control.advance(COVERED, coverage.outbox)


def hand_out_again(control: ControlStore, coverage: Coverage) -> None:
    """Set the feeds of a restored store back to what the restored QuestDB has."""
    for word, name in FEEDS.items():
        control.rewind(name, getattr(coverage, word))
