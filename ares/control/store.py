"""The control store: decides what needs uniqueness or a transaction, and hands every row on to QuestDB by its outbox.

SQLite in WAL mode with `synchronous=FULL` on one machine (a commit returns after fsync), Postgres by URL in a cluster.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from threading import Event
from typing import Self

from sqlalchemy import Connection, Engine, create_engine, delete, event, func, insert, make_url, select, text, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from ares.control import leases
from ares.control.audit import AuditEntry, ChainLink, heads, links_after, newest_links, put_audit, put_head
from ares.control.codec import dump_row, load_row
from ares.control.leases import Fence
from ares.control.log import (
    PAGE_ROWS,
    add_missing_columns,
    category_page,
    dead_letters,
    end_position,
    log_page,
    put_dead_letter,
    put_events,
    stream_page,
)
from ares.control.postgres import ends_when_frozen
from ares.control.schema import CURSORS, EVENTS, JOB_SLOTS, METADATA, OUTBOX
from ares.control.second_copy import Cells, CopiedTransaction, SecondCopy, noted, put_copied
from ares.control.types import DeadLetter, Lease, NewEvent, OutboxRow, StoredEvent
from ares.errors import ConfigError, ControlUnavailable
from ares.model.row import Row
from ares.telemetry import metrics

BUSY_MS_MAX = 10_000
SWITCH_TRIES_MAX = 1_000
SWITCH_WAIT_S = 0.01
OUTBOX_LOCK = 4_177


class ControlStore:
    """Journal streams, leases, job slots and the outbox; every call is one committed transaction.

    Methods block for the length of a commit (milliseconds); call them through `asyncio.to_thread` where that matters.
    All raise `ControlUnavailable` when the store cannot be reached or written.
    """

    def __init__(self, engine: Engine, second_copy: SecondCopy | None = None) -> None:
        self._engine = engine
        self._second_copy = second_copy
        self._closed = Event()
        self._fence: Fence | None = None

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect and create missing tables. Raises `ConfigError` for a URL that names no database."""
        try:
            second_copy, plain = SecondCopy.of(make_url(url))
            engine = create_engine(plain, pool_pre_ping=True)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise ConfigError(
                "control.url", "(hidden)", f"not a database URL ({type(error).__name__})", _URLS
            ) from None
        store = cls(engine, second_copy)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _sqlite_durable)
            store._switch_to_wal()
            event.listen(engine, "begin", _sqlite_begin)
        else:
            event.listen(engine, "begin", ends_when_frozen)
        with store.transaction() as connection:
            one_writer(connection)
            METADATA.create_all(connection)
            add_missing_columns(connection)
        return store

    def append(
        self,
        stream: str,
        events: Sequence[NewEvent],
        *,
        expected_seq: int,
        mirror: Sequence[Row] = (),
        audit: Sequence[AuditEntry] = (),
    ) -> int:
        """Append events after `expected_seq`, mirror rows, audit: all or nothing; returns the stream's last seq.

        Raises `SequenceConflict` if the stream is not at `expected_seq` (0: it must be new), and behind a fence
        `LeaseLost`.
        """
        with self.transaction() as connection:
            one_writer(connection)
            if self._fence is not None:
                self._fence.require(connection)
            put_events(connection, stream, events, expected_seq)
            put_outbox(connection, [*mirror, *put_audit(connection, audit)])
        for each in events:
            metrics.EVENTS.labels(stream.partition("/")[0], each.type).inc()
        return expected_seq + len(events)

    def audit(self, entries: Sequence[AuditEntry]) -> None:
        """Add entries to their writers' chains. Raises `SequenceConflict` if one moved on meanwhile: try again."""
        with self.transaction() as connection:
            put_outbox(connection, put_audit(connection, entries))

    def audit_links(self) -> Iterator[ChainLink]:
        """All chains, page by page, in order of writer and place."""
        writer, seq = "", 0
        while True:
            with self.reading() as connection:
                page = links_after(connection, writer, seq)
            yield from page
            if not page:
                return
            writer, seq = page[-1].writer, page[-1].seq

    def audit_ends(self) -> list[ChainLink]:
        """The newest entry of every chain."""
        with self.reading() as connection:
            return newest_links(connection)

    def audit_heads(self) -> list[str]:
        """The signed heads that were kept, oldest first, as lines of JSON."""
        with self.reading() as connection:
            return list(heads(connection))

    def keep_audit_heads(self, lines: Sequence[str]) -> None:
        """Keep signed heads."""
        with self.transaction() as connection:
            for line in lines:
                put_head(connection, line)

    def read(self, stream: str, after_seq: int = 0) -> list[StoredEvent]:
        """The events of one stream in order."""
        return list(self.stream(stream, after_seq))

    def stream(self, stream: str, after_seq: int = 0) -> Iterator[StoredEvent]:
        """The events of one stream in order, page by page: a long one need not fit into memory."""
        while True:
            with self.reading() as connection:
                page = stream_page(connection, stream, after_seq)
            yield from page
            if len(page) < PAGE_ROWS:
                return
            after_seq = page[-1].seq

    def log(self, after_position: int, rows_max: int) -> list[StoredEvent]:
        """The next events of all streams, in the order of commits."""
        with self.reading() as connection:
            return log_page(connection, after_position, rows_max)

    def log_end(self) -> int:
        """The position of the newest event; 0 of an empty log."""
        with self.reading() as connection:
            return end_position(connection)

    def category(self, category: str, up_to_position: int) -> Iterator[StoredEvent]:
        """The events of a kind of streams (empty: of all) up to a position, stream by stream and page by page."""
        after = ("", 0)
        while True:
            with self.reading() as connection:
                page = category_page(connection, category, after, up_to_position)
            yield from page
            if len(page) < PAGE_ROWS:
                return
            after = (page[-1].stream, page[-1].seq)

    def streams(self, prefix: str) -> list[str]:
        """The names of all streams that start with `prefix`, in order of their first event."""
        query = (
            select(EVENTS.c.stream)
            .where(EVENTS.c.stream.startswith(prefix, autoescape=True), EVENTS.c.seq == 1)
            .order_by(EVENTS.c.id)
        )
        with self.reading() as connection:
            return [row.stream for row in connection.execute(query)]

    def mirror(self, rows: Sequence[Row]) -> None:
        """Hand rows to QuestDB through the outbox: in order, at least once, however long QuestDB is away."""
        if rows:
            with self.transaction() as connection:
                put_outbox(connection, rows)

    def bury(self, letter: DeadLetter) -> None:
        """Keep what a subscriber could not take; a second time is harmless."""
        with self.transaction() as connection:
            put_outbox(connection, put_dead_letter(connection, letter))

    def dead_letters(self) -> list[DeadLetter]:
        """What subscribers could not take, oldest first."""
        with self.reading() as connection:
            return dead_letters(connection)

    def outbox_end(self) -> int:
        """The seq of the newest row that was ever handed to the outbox and is still there; 0 if it is empty."""
        with self.reading() as connection:
            return connection.execute(select(func.max(OUTBOX.c.seq))).scalar() or 0

    def outbox(self, after_seq: int, rows_max: int) -> list[OutboxRow]:
        """The next rows of the outbox."""
        query = select(OUTBOX).where(OUTBOX.c.seq > after_seq).order_by(OUTBOX.c.seq).limit(rows_max)
        with self.reading() as connection:
            return [OutboxRow(r.seq, load_row(r.row)) for r in connection.execute(query)]

    def cursor(self, name: str) -> int:
        """How far a subscriber of the outbox has come; 0 for a new one."""
        with self.reading() as connection:
            return connection.execute(select(CURSORS.c.seq).where(CURSORS.c.name == name)).scalar() or 0

    def begin(self, name: str, *, at_end: bool) -> int:
        """How far a subscriber of the log has come; a new one begins before the first event, or `at_end`."""
        with self.transaction() as connection:
            seq = connection.execute(select(CURSORS.c.seq).where(CURSORS.c.name == name)).scalar()
            if seq is None:
                seq = end_position(connection) if at_end else 0
                connection.execute(insert(CURSORS), {"name": name, "seq": seq})
            return seq

    def advance(self, name: str, seq: int) -> None:
        """Move a subscriber's cursor; never backwards."""
        with self.transaction() as connection:
            moved = connection.execute(
                update(CURSORS).where(CURSORS.c.name == name).values(seq=func.max(CURSORS.c.seq, seq))
                if connection.dialect.name == "sqlite"
                else update(CURSORS).where(CURSORS.c.name == name).values(seq=func.greatest(CURSORS.c.seq, seq))
            )
            if moved.rowcount == 0:
                connection.execute(insert(CURSORS), {"name": name, "seq": seq})

    def rewind(self, name: str, seq: int) -> None:
        """Set a subscriber's cursor back, after a restore: what it has lost since is handed to it again."""
        behind = (CURSORS.c.name == name) & (CURSORS.c.seq > seq)
        with self.transaction() as connection:
            connection.execute(update(CURSORS).where(behind).values(seq=seq))

    def cursors(self) -> dict[str, int]:
        """How far all subscribers have come."""
        with self.reading() as connection:
            return {row.name: row.seq for row in connection.execute(select(CURSORS).order_by(CURSORS.c.name))}

    def put_copied(self, transaction: CopiedTransaction) -> None:
        """Apply the next transaction of the second copy to a store that was restored."""
        with self.transaction() as connection:
            put_copied(connection, transaction)

    def prune_outbox(self, up_to_seq: int) -> int:
        """Delete rows that nobody needs any more; returns how many."""
        with self.transaction() as connection:
            return connection.execute(delete(OUTBOX).where(OUTBOX.c.seq <= up_to_seq)).rowcount

    def acquire_lease(self, name: str, holder: str, now_ns: int, ttl_s: float, claim: str = "") -> Lease | None:
        """Take a lease that is free, expired, or ours already; None while somebody else holds it, or it is kept for
        another `claim` than ours.
        """
        wanted = Lease(name, holder, 1, leases.until(now_ns, ttl_s))
        with self.transaction() as connection:
            return leases.acquire(connection, wanted, now_ns, claim)

    def renew_lease(self, lease: Lease, now_ns: int, ttl_s: float) -> Lease:
        """Extend a lease we hold. Raises `LeaseLost` if it was taken over or has run out."""
        with self.transaction() as connection:
            return leases.renew(connection, lease, now_ns, ttl_s)

    def release_lease(self, lease: Lease, keep_for: str = "", until_ns: int = 0) -> None:
        """Let the next holder in at once, until then only who claims it as `keep_for`, if somebody is named.

        A lease that was lost already is none of our business.
        """
        with self.transaction() as connection:
            leases.let_go(connection, lease)
            if keep_for:
                leases.reserve(connection, lease.name, keep_for, until_ns)

    def reserve_lease(self, name: str, claim: str, until_ns: int) -> None:
        """Keep a lease for who claims it by this word, once it is free; in place of any reservation before."""
        with self.transaction() as connection:
            one_writer(connection)
            leases.reserve(connection, name, claim, until_ns)

    def lease(self, name: str) -> tuple[Lease | None, Lease | None]:
        """A lease as it stands, run out or not, and for whom (`holder`) it was last kept until when; None: never."""
        with self.reading() as connection:
            return leases.current(connection, name), leases.reservation(connection, name)

    def behind(self, fence: Fence) -> Self:
        """The same store, whose `append` raises `LeaseLost` once the lease of the fence is not its holder's any more.

        So a holder that was stopped for long, or a thread of one that let go, changes nothing of its successor's.
        """
        other = copy(self)
        other._fence = fence  # noqa: SLF001 - it is one of us
        return other

    def claim_slot(self, job: str, slot_ns: int, holder: str, now_ns: int) -> bool:
        """Claim a job's slot; True for exactly one claimant."""
        row = {"job": job, "slot_ns": slot_ns, "holder": holder, "claimed_at_ns": now_ns}
        try:
            with self.transaction() as connection:
                connection.execute(insert(JOB_SLOTS), row)
        except IntegrityError:
            return False
        return True

    def close(self) -> None:
        """Close all connections; one that a thread still works with is closed when that is done."""
        self._closed.set()
        self._engine.pool.dispose()

    def _switch_to_wal(self) -> None:
        """Once per file. SQLite answers "locked" at once, timeout or not, while another process does the same."""
        for tries_left in reversed(range(SWITCH_TRIES_MAX)):
            try:
                with self._engine.connect() as connection:
                    connection.execute(text("PRAGMA journal_mode=WAL"))
                return
            except SQLAlchemyError as error:
                if not tries_left or "locked" not in str(error):
                    raise self._unavailable(error) from None
                time.sleep(SWITCH_WAIT_S)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One moment of the store, to read from: it waits for no writer, and none waits for it."""
        try:
            with self._engine.connect().execution_options(ares_reads=True) as connection, connection.begin():
                yield connection
        except SQLAlchemyError as error:
            raise self._unavailable(error) from None
        finally:
            if self._closed.is_set():
                self._engine.pool.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: kept whole, or not at all."""
        try:
            with self._engine.connect() as connection, connection.begin():
                if self._second_copy is None:
                    yield connection
                else:
                    self._second_copy.begin(connection)
                    yield connection
                    self._second_copy.put(connection)
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise self._unavailable(error) from None
        finally:
            if self._closed.is_set():
                self._engine.pool.dispose()  # nobody else would close what was given back after the end

    def _unavailable(self, error: SQLAlchemyError) -> ControlUnavailable:
        return ControlUnavailable(f"control store {self._engine.url!r}: {getattr(error, 'orig', None) or error}")


_URLS = "Use sqlite:///path/control.db or postgresql+psycopg://user@host/database"


def _sqlite_durable(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    setattr(connection, "isolation_level", None)  # noqa: B010 - sqlite3's own attribute, so that BEGIN is ours
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_MS_MAX}", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    """Take the write lock at once: a transaction that read first could not upgrade while another writes."""
    reads = connection.get_execution_options().get("ares_reads", False)
    connection.execute(text("BEGIN" if reads else "BEGIN IMMEDIATE"))


def one_writer(connection: Connection) -> None:
    """Until the commit nobody else writes: SQLite sees to it itself.

    Serials are handed out before commits: without one writer at a time a cursor could pass a row or an event unseen.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": OUTBOX_LOCK})


def put_outbox(connection: Connection, rows: Sequence[Row]) -> None:
    """Hand rows to QuestDB with whatever else the transaction says."""
    if rows:
        one_writer(connection)
        values: list[Cells] = [{"row": dump_row(row)} for row in rows]
        connection.execute(insert(OUTBOX), values)
        noted(connection, OUTBOX.name, values)
