"""The event log as it is kept: streams numbered from 1 without holes, and one order over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
from sqlalchemy import Connection, Select, func, insert, inspect, select, text, true, tuple_
from sqlalchemy.engine import Row as SqlRow
from sqlalchemy.exc import IntegrityError

from ares.control.schema import ADDED_COLUMNS, DEAD_LETTERS, EVENTS
from ares.control.second_copy import Cells, noted
from ares.control.types import DeadLetter, NewEvent, StoredEvent
from ares.errors import SequenceConflict
from ares.model.row import Cell, Row

PAGE_ROWS = 5_000
Columns = tuple[int, str, int, str, int, str, int, str, str, str]


def add_missing_columns(connection: Connection) -> None:
    """Bring `stream_events` of an older store to what it is now; its events keep their places and payloads."""
    there = {column["name"] for column in inspect(connection).get_columns(EVENTS.name)}
    for name, statement in ADDED_COLUMNS.items():
        if name not in there:
            connection.execute(text(statement))


def put_events(connection: Connection, stream: str, events: Sequence[NewEvent], expected_seq: int) -> None:
    """Append to a stream that is at `expected_seq`. Raises `SequenceConflict`."""
    last = connection.execute(select(func.max(EVENTS.c.seq)).where(EVENTS.c.stream == stream)).scalar() or 0
    if last != expected_seq:
        raise SequenceConflict(f"stream {stream} is at {last}, not at {expected_seq}; read it again")
    rows: list[Cells] = [
        {
            "stream": stream,
            "seq": seq,
            "type": event.type,
            "version": event.version,
            "ts_ns": event.ts_ns,
            "payload": orjson.dumps(dict(event.payload)).decode(),
            "correlation_id": event.correlation_id,
            "causation_id": event.causation_id,
            "attributes": orjson.dumps(dict(event.attributes)).decode(),
        }
        for seq, event in enumerate(events, start=expected_seq + 1)
    ]
    try:
        if rows:
            connection.execute(insert(EVENTS), rows)
            noted(connection, EVENTS.name, rows)
    except IntegrityError:
        raise SequenceConflict(f"stream {stream} moved on from {expected_seq}; read it again") from None


def stream_page(connection: Connection, stream: str, after_seq: int) -> list[StoredEvent]:
    """The next events of one stream."""
    query = select(EVENTS).where(EVENTS.c.stream == stream, EVENTS.c.seq > after_seq)
    return _events(connection, query.order_by(EVENTS.c.seq))


def log_page(connection: Connection, after_position: int, rows_max: int) -> list[StoredEvent]:
    """The next events of all streams, in the order of commits."""
    query = select(EVENTS).where(EVENTS.c.id > after_position).order_by(EVENTS.c.id)
    return _events(connection, query, rows_max)


def category_page(connection: Connection, category: str, after: tuple[str, int], up_to: int) -> list[StoredEvent]:
    """The next events of a category (empty: of all) up to a position, after a stream's name and place in it."""
    mine = (EVENTS.c.stream == category) | EVENTS.c.stream.startswith(f"{category}/", autoescape=True)
    beyond = tuple_(EVENTS.c.stream, EVENTS.c.seq) > tuple_(*after)
    query = select(EVENTS).where(mine if category else true(), beyond, EVENTS.c.id <= up_to)
    return _events(connection, query.order_by(EVENTS.c.stream, EVENTS.c.seq))


def end_position(connection: Connection) -> int:
    """The place of the newest event; 0 of an empty log."""
    return connection.execute(select(func.max(EVENTS.c.id))).scalar() or 0


def put_dead_letter(connection: Connection, letter: DeadLetter) -> list[Row]:
    """Keep what a subscriber could not take, once; returns its row for the mirror."""
    place = (DEAD_LETTERS.c.subscription == letter.subscription) & (DEAD_LETTERS.c.position == letter.position)
    if connection.execute(select(DEAD_LETTERS.c.position).where(place)).one_or_none() is not None:
        return []
    values: Cells = {
        "subscription": letter.subscription,
        "position": letter.position,
        "ts_ns": letter.ts_ns,
        "error": letter.error,
        "content": letter.content,
    }
    connection.execute(insert(DEAD_LETTERS), values)
    noted(connection, DEAD_LETTERS.name, [values])
    columns: dict[str, Cell] = {"position": letter.position, "error": letter.error, "content": letter.content}
    return [Row("dead_letters", letter.ts_ns, {"subscription": letter.subscription}, columns)]


def dead_letters(connection: Connection) -> list[DeadLetter]:
    """All of them, oldest first."""
    query = select(DEAD_LETTERS).order_by(DEAD_LETTERS.c.ts_ns, DEAD_LETTERS.c.subscription, DEAD_LETTERS.c.position)
    return [DeadLetter(r.subscription, r.position, r.ts_ns, r.error, r.content) for r in connection.execute(query)]


def _events(connection: Connection, query: Select[Columns], rows_max: int = PAGE_ROWS) -> list[StoredEvent]:
    rows: Iterable[SqlRow[Columns]] = connection.execute(query.limit(rows_max))
    return [
        StoredEvent(
            position=r.id,
            stream=r.stream,
            seq=r.seq,
            type=r.type,
            version=r.version,
            ts_ns=r.ts_ns,
            payload=orjson.loads(r.payload),
            correlation_id=r.correlation_id,
            causation_id=r.causation_id,
            attributes=orjson.loads(r.attributes),
        )
        for r in rows
    ]
