"""The audit chain as it is kept: an entry's hash covers its text and the hash of the entry before it.

One chain per writer, numbered from 1 without holes. Entries are only ever added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Connection, insert, select, tuple_
from sqlalchemy.exc import IntegrityError

from ares.control.schema import AUDIT_ENTRIES, AUDIT_HEADS
from ares.control.second_copy import Cells, noted
from ares.control.types import Json
from ares.errors import SequenceConflict
from ares.model.row import Cell, Row

GENESIS = "0" * 64
PAGE_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, from which state to which, why, and with which piece of work it hangs together."""

    writer: str
    who: str
    what: str
    ts_ns: int
    before: Mapping[str, Json] = field(default_factory=dict)
    after: Mapping[str, Json] = field(default_factory=dict)
    why: str = ""
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class ChainLink:
    """An entry as it is kept: its place, its text (JSON), its hash."""

    writer: str
    seq: int
    text: str
    hash: str


def chained_hash(previous: str, text: str) -> str:
    """SHA-256 over the hash before and the text, hexadecimal."""
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def canonical(entry: AuditEntry, seq: int) -> str:
    """An entry as text; the same entry always gives the same text."""
    body = {
        "writer": entry.writer,
        "seq": seq,
        "ts_ns": entry.ts_ns,
        "who": entry.who,
        "what": entry.what,
        "before": dict(entry.before),
        "after": dict(entry.after),
        "why": entry.why,
        "correlation_id": entry.correlation_id,
    }
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()


def put_audit(connection: Connection, entries: Sequence[AuditEntry]) -> list[Row]:
    """Add entries to their writers' chains within a transaction; returns their rows for the mirror.

    Raises `SequenceConflict` if another process of the same writer was faster.
    """
    rows: list[Row] = []
    for entry in entries:
        newest = newest_link(connection, entry.writer)
        seq, previous = (newest.seq + 1, newest.hash) if newest else (1, GENESIS)
        text = canonical(entry, seq)
        digest = chained_hash(previous, text)
        values: Cells = {"writer": entry.writer, "seq": seq, "entry": text, "hash": digest}
        try:
            connection.execute(insert(AUDIT_ENTRIES), values)
        except IntegrityError:
            raise SequenceConflict(f"audit chain {entry.writer} moved on from {seq - 1}; try again") from None
        noted(connection, AUDIT_ENTRIES.name, [values])
        rows.append(mirror_row(entry, seq, previous, digest))
    return rows


def mirror_row(entry: AuditEntry, seq: int, previous: str, digest: str) -> Row:
    """An entry as the row that analysts read."""
    columns: dict[str, Cell] = {
        "seq": seq,
        "before": orjson.dumps(dict(entry.before)).decode(),
        "after": orjson.dumps(dict(entry.after)).decode(),
        "why": entry.why,
        "correlation_id": entry.correlation_id,
        "previous_hash": previous,
        "hash": digest,
    }
    return Row("audit", entry.ts_ns, {"writer": entry.writer, "who": entry.who, "what": entry.what}, columns)


def newest_link(connection: Connection, writer: str) -> ChainLink | None:
    """The end of a writer's chain."""
    query = (
        select(AUDIT_ENTRIES)
        .where(AUDIT_ENTRIES.c.writer == writer)
        .order_by(AUDIT_ENTRIES.c.seq.desc())
        .limit(1)
        .with_for_update()
    )
    found = connection.execute(query).one_or_none()
    return None if found is None else ChainLink(found.writer, found.seq, found.entry, found.hash)


def newest_links(connection: Connection) -> list[ChainLink]:
    """The ends of all chains."""
    writers = connection.execute(select(AUDIT_ENTRIES.c.writer).distinct().order_by(AUDIT_ENTRIES.c.writer))
    links = [newest_link(connection, row.writer) for row in writers.all()]
    return [link for link in links if link is not None]


def links_after(connection: Connection, writer: str, seq: int) -> list[ChainLink]:
    """The next page of all chains, in order of writer and place."""
    place = tuple_(AUDIT_ENTRIES.c.writer, AUDIT_ENTRIES.c.seq)
    query = (
        select(AUDIT_ENTRIES)
        .where(place > tuple_(writer, seq))
        .order_by(AUDIT_ENTRIES.c.writer, AUDIT_ENTRIES.c.seq)
        .limit(PAGE_ROWS)
    )
    return [ChainLink(r.writer, r.seq, r.entry, r.hash) for r in connection.execute(query)]


def put_head(connection: Connection, head: str) -> None:
    """Keep a signed head."""
    connection.execute(insert(AUDIT_HEADS), {"head": head})
    noted(connection, AUDIT_HEADS.name, [{"head": head}])


def heads(connection: Connection) -> Iterator[str]:
    """All signed heads that were kept, oldest first."""
    for row in connection.execute(select(AUDIT_HEADS.c.head).order_by(AUDIT_HEADS.c.id)):
        yield row.head
