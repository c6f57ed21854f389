"""Migrations as files: what each step does, in which phase it may, and whether anybody has to stop for it. Pure.

A file is `NNNN_pre_what.sql` or `NNNN_post_what.sql`. `pre` runs before the new release starts, beside the old one, so
it only adds; `post` runs once no older release is left. Both run while writers write and may be run again from their
beginning, so a migration that was killed in the middle is simply run again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import Literal

from ares.errors import UsageError
from ares.store.queries import COMMENT, split_statements

Phase = Literal["pre", "post"]
PRE: Phase = "pre"
POST: Phase = "post"

MIGRATION_NAME = re.compile(r"^(?P<number>\d{4})_(?P<phase>pre|post)_[a-z0-9_]+\.sql$")
PARTITION = "{partition}"
_NOTES = re.compile(r"^-- (What|Why|Rollback): (.*(?:\n--   .*)*)", re.MULTILINE)
_SLICED = re.compile(r"^-- For each partition of: (?P<table>\w+)$", re.MULTILINE)
NOTES = ("What", "Why", "Rollback")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of step: how it is told, in which phases it may stand, what it means for who writes and reads meanwhile.

    `done`: how QuestDB 9.3.4 refuses it where it is done already. `breaks_views`: a materialized view over the table
    becomes invalid, whether or not it reads the column.
    """

    name: str
    pattern: re.Pattern[str]
    phases: frozenset[Phase]
    effect: str
    done: re.Pattern[str] | None = None
    breaks_views: bool = False


def _kind(
    name: str,
    pattern: str,
    phases: Iterable[Phase],
    effect: str,
    done: str | None = None,
    *,
    breaks_views: bool = False,
) -> Kind:
    compiled = re.compile(pattern + r"(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
    return Kind(name, compiled, frozenset(phases), effect, re.compile(done) if done else None, breaks_views)


_TABLE = r"\s+'?(?P<table>\w+)'?\s+"
KINDS = (
    _kind("create table", r"CREATE\s+TABLE\s+IF\s+NOT\s+EXISTS" + _TABLE, (PRE,), "at once"),
    _kind(
        "add column",
        r"ALTER\s+TABLE" + _TABLE + r"ADD\s+COLUMN\s+IF\s+NOT\s+EXISTS\s+",
        (PRE,),
        "at once; who does not send the column leaves it NULL",
        "statement is either no-op",
    ),
    _kind(
        "index",
        r"ALTER\s+TABLE" + _TABLE + r"ALTER\s+COLUMN\s+\w+\s+ADD\s+INDEX",
        (PRE, POST),
        "built from every partition",
    ),
    _kind(
        "symbol capacity",
        r"ALTER\s+TABLE" + _TABLE + r"ALTER\s+COLUMN\s+\w+\s+SYMBOL\s+CAPACITY\s+",
        (PRE, POST),
        "symbol files are written anew",
    ),
    _kind(
        "copy rows",
        r"INSERT\s+INTO" + _TABLE,
        (PRE, POST),
        "partition by partition; DEDUP keys make a second copy the same rows",
    ),
    _kind("check", r"SELECT\s+(?P<table>)", (PRE, POST), "reads; a row in the answer stops the migration"),
    _kind(
        "change type",
        r"ALTER\s+TABLE" + _TABLE + r"ALTER\s+COLUMN\s+\w+\s+TYPE\s+",
        (POST,),
        "the column is written anew in every partition, behind the writers",
        "type is already",
        breaks_views=True,
    ),
    _kind(
        "dedup keys",
        r"ALTER\s+TABLE" + _TABLE + r"DEDUP\s+ENABLE\s+UPSERT\s+KEYS",
        (POST,),
        "at once; rows that stand stay, the keys hold from the next write",
    ),
    _kind(
        "drop column",
        r"ALTER\s+TABLE" + _TABLE + r"DROP\s+COLUMN\s+",
        (POST,),
        "at once; who still sends the column is refused",
        "Invalid column",
        breaks_views=True,
    ),
    _kind(
        "drop table", r"DROP\s+TABLE\s+IF\s+EXISTS\s+(?P<table>\w+)", (POST,), "at once", breaks_views=True
    ),
    _kind(
        "drop view",
        r"DROP\s+(?:MATERIALIZED\s+)?VIEW\s+IF\s+EXISTS\s+(?P<table>\w+)",
        (POST,),
        "at once; its readers are refused",
    ),
)  # fmt: skip
NEVER = (
    (
        r"^RENAME\b",
        "between two names writers find no table and are refused. Make a new one, copy, drop the old in post",
    ),
    (r"\bRENAME\s+COLUMN\b", "older writers are refused. Add the new column in pre, drop the old one in post"),
    (r"\bSET\s+TTL\b", "only the retention job drops rows, after their copy is proved"),
    (r"\b(TRUNCATE|UPDATE|DROP\s+PARTITION)\b", "it takes rows from under materialized views and backups"),
)
"""What no migration may do, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a migration. `sliced_by`: the table for each of whose partitions it runs once."""

    sql: str
    kind: Kind
    table: str
    sliced_by: str | None


@dataclass(frozen=True, slots=True)
class Migration:
    """A file: its number and phase, what it is for, how to go back, and its steps."""

    name: str
    number: int
    phase: Phase
    what: str
    why: str
    rollback: str
    steps: tuple[Step, ...]

    @property
    def digest(self) -> str:
        """A short fingerprint of what it does, whatever is said about it."""
        text = "\n".join(COMMENT.sub("", step.sql).strip() for step in self.steps)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def migrations(folder: Traversable | None = None) -> list[Migration]:
    """The migrations of this release (or of a folder) in order of their number. Raises `UsageError` for a bad file."""
    there = folder or resources.files("ares.store").joinpath("schema/migrations")
    files = sorted((f for f in there.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    found = [parse_migration(file.name, file.read_text(encoding="utf-8")) for file in files]
    for before, after in pairwise(found):
        if before.number == after.number:
            raise UsageError(f"migration = {after.name!r}: {before.name} has this number. Take the next free one")
    return found


def schema_level() -> int:
    """The number of the newest migration that this release knows: heartbeats carry it."""
    return max((each.number for each in migrations()), default=0)


def parse_migration(name: str, text: str) -> Migration:
    """A file as a migration. Raises `UsageError` for its name, its notes or a step that its phase does not allow."""
    named = MIGRATION_NAME.match(name)
    if named is None:
        raise UsageError(f"migration = {name!r}: misnamed. Call it NNNN_pre_what.sql or NNNN_post_what.sql")
    phase = PRE if named["phase"] == PRE else POST
    notes = {label: " ".join(line.strip("- ") for line in said.splitlines()) for label, said in _NOTES.findall(text)}
    for label in NOTES:
        if not notes.get(label):
            raise UsageError(f"migration = {name!r}: its comment lacks '-- {label}: ...'. Say it in a sentence")
    steps = tuple(parse_step(name, phase, sql) for sql in split_statements(text))
    return Migration(name, int(named["number"]), phase, notes["What"], notes["Why"], notes["Rollback"], steps)


def parse_step(name: str, phase: Phase, sql: str) -> Step:
    """A statement of a migration. Raises `UsageError` if its phase does not allow it."""
    bare = COMMENT.sub("", sql).strip()
    shown = f"migration = {name!r}: {' '.join(bare.split())[:80]!r}"
    kind, table = _kind_of(bare)
    if kind is None:
        never = next((why for pattern, why in NEVER if re.search(pattern, bare, re.IGNORECASE)), None)
        allowed = ", ".join(each.name for each in KINDS if phase in each.phases)
        raise UsageError(f"{shown}: {never or f'unknown. A {phase} migration may: {allowed}'}")
    if phase not in kind.phases:
        raise UsageError(
            f"{shown}: {kind.name} would break an older release that still runs. Put it into a post migration"
        )
    sliced = _SLICED.search(sql)
    if kind.name == "copy rows" and (sliced is None or PARTITION not in bare):
        raise UsageError(
            f"{shown}: a copy goes partition by partition. Say '-- For each partition of: <table>' "
            f"and WHERE ts IN '{PARTITION}'"
        )
    return Step(sql, kind, table, sliced["table"] if sliced else None)


def _kind_of(bare: str) -> tuple[Kind | None, str]:
    for kind in KINDS:
        found = kind.pattern.fullmatch(bare)
        if found is not None:
            several = "," in found["rest"] and kind.name in {"add column", "drop column"} and "(" not in found["rest"]
            return (None, "") if several else (kind, found["table"])
    return None, ""


def views_broken(step: Step, rests_on: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The materialized views that a step makes invalid; `rests_on` names those over each table."""
    return rests_on.get(step.table, ()) if step.kind.breaks_views else ()
