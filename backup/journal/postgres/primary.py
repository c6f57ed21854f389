"""The Postgres that is followed: whether it can be, its slot, and marks in its WAL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from ares.clock import NANOS_PER_MICRO, Clock
from ares.control.postgres import Ask, Facts, ask, asking
from ares.errors import BackupIncomplete, ConfigError
from ares.store import load_queries

QUERIES = load_queries("backup.journal.postgres", "primary.sql")
MAJOR_MIN = 13
"""The first that bounds what a slot keeps."""

NAME_MAX = 63
SENDERS_MIN = 2
"""One for the WAL, one for a base copy beside it."""
LOOKS = 3
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Standing:
    """What the server is. `slot_bytes_max`: so much WAL a slot may keep; 0: without bound."""

    major: int
    system: str
    segment_bytes: int
    slot_bytes_max: int
    role: str


@dataclass(frozen=True, slots=True)
class Slot:
    """How far the journal has come, and how much WAL waits for it. `lost`: the server gave it up."""

    active: bool
    lost: bool
    position: int
    kept_bytes: int


@dataclass(frozen=True, slots=True)
class Mark:
    """All that was acknowledged before `at_ns` (our clock) lies before `record`, and that lies whole before `position`.

    `skew_ns`: the server's clock less ours.
    """

    at_ns: int
    record: int
    position: int
    skew_ns: int


class Primary:
    """Asks one server; every call connects anew, for it is asked a few times a minute. Raises `ControlUnavailable`."""

    def __init__(self, url: str, slot: str) -> None:
        self._url = url
        self._slot = slot

    def standing(self) -> Standing:
        """Raises `ConfigError` for a server whose WAL cannot be followed, with what to do there."""
        (facts,) = ask(self._url, QUERIES["standing"])
        _require_able(facts)
        slot_mb_max = _int(facts, "slot_mb_max")
        return Standing(
            _int(facts, "major"),
            str(facts["system"]),
            _int(facts, "segment_bytes"),
            max(0, slot_mb_max) * MIB,
            str(facts["role"]),
        )

    def slot(self) -> Slot | None:
        """None if there is none."""
        found = ask(self._url, QUERIES["slot"], {"slot": self._slot})
        if not found:
            return None
        (facts,) = found
        lost = facts["wal_status"] == "lost"
        return Slot(bool(facts["active"]), lost, _int(facts, "position"), _int(facts, "kept_bytes"))

    def create_slot(self, standing: Standing) -> None:
        """Raises `ConfigError` where nothing bounds it: an absent journal would fill the server's disk."""
        if not standing.slot_bytes_max:
            raise _unable(
                "max_slot_wal_keep_size is -1: WAL that waits for the journal would fill its disk",
                "ALTER SYSTEM SET max_slot_wal_keep_size = '4GB'; SELECT pg_reload_conf()",
            )
        ask(self._url, QUERIES["create"], {"slot": self._slot})

    def drop_slot(self) -> None:
        """Raises `BackupIncomplete` while somebody follows it."""
        slot = self.slot()
        if slot is not None and slot.active:
            raise BackupIncomplete(
                f"slot {self._slot}: it is followed just now. Stop the service `backup`, then drop it"
            )
        if slot is not None:
            ask(self._url, QUERIES["drop"], {"slot": self._slot})

    def mark(self, clock: Clock) -> Mark:
        """Commit something of no meaning, behind which nothing lies that was acknowledged before."""
        with asking(self._url) as answer:
            answer(QUERIES["local"], {})
            looks = [_looked(answer, clock) for _ in range(LOOKS)]
            at_ns = clock.now_ns()
            (mark,) = answer(QUERIES["mark"], {})
            (flushed,) = answer(QUERIES["flushed"], {})
        _, skew_ns = min(looks)
        return Mark(at_ns, _int(mark, "record"), _int(flushed, "position"), skew_ns)


def _looked(answer: Ask, clock: Clock) -> tuple[int, int]:
    """Its clock less ours, behind how long the question took: the shortest tells most."""
    before_ns = clock.now_ns()
    (now,) = answer(QUERIES["now"], {})
    after_ns = clock.now_ns()
    return after_ns - before_ns, _int(now, "now_us") * NANOS_PER_MICRO - (before_ns + after_ns) // 2


def slot_name(host: str) -> str:
    """The slot of an installation, from `backup.host`: several may follow one server."""
    return f"{re.sub('[^a-z0-9_]', '_', host.lower())}_journal"[-NAME_MAX:]


def _require_able(facts: Facts) -> None:
    role = str(facts["role"])
    problems = (
        (bool(facts["standby"]), "it is a standby", "Let control.url lead to the primary"),
        (
            _int(facts, "major") < MAJOR_MIN,
            f"version {facts['major']} cannot bound what it keeps for the journal",
            f"Upgrade it to {MAJOR_MIN} or later",
        ),
        (
            facts["wal_level"] == "minimal",
            "wal_level is 'minimal': its WAL is not whole",
            "ALTER SYSTEM SET wal_level = 'replica', and restart it",
        ),
        (
            not facts["may_replicate"],
            f"role {role!r} may not follow its WAL",
            f'Say there ALTER ROLE "{role}" REPLICATION, name another in backup.postgres_url, or see follow_postgres',
        ),
        (
            _int(facts, "senders_max") < SENDERS_MIN,
            f"max_wal_senders is {facts['senders_max']}",
            "ALTER SYSTEM SET max_wal_senders = 10, and restart it",
        ),
        (
            _int(facts, "slots_max") == 0,
            "max_replication_slots is 0",
            "ALTER SYSTEM SET max_replication_slots = 10, and restart it",
        ),
        (
            _int(facts, "tablespaces") > 0,
            "it has tablespaces, which are copied to their own paths only",
            "Give the control store a Postgres without them",
        ),
    )
    for wrong, problem, way_out in problems:
        if wrong:
            raise _unable(problem, way_out)


def _unable(problem: str, way_out: str) -> ConfigError:
    return ConfigError("control.url", "(hidden)", f"the Postgres there cannot be followed: {problem}", way_out)


def _int(facts: Facts, name: str) -> int:
    return int(cast("int", facts[name]))
