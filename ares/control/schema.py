"""The control store's tables, for SQLite and Postgres alike."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

METADATA = MetaData()

_SERIAL = BigInteger().with_variant(Integer, "sqlite")

EVENTS = Table(
    "stream_events",
    METADATA,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("stream", String(200), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("type", String(100), nullable=False),
    Column("ts_ns", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("correlation_id", Text, nullable=False, server_default=""),
    Column("causation_id", Text, nullable=False, server_default=""),
    Column("attributes", Text, nullable=False, server_default="{}"),
    UniqueConstraint("stream", "seq", name="stream_events_seq_once"),
)

ADDED_COLUMNS = {
    "version": "ALTER TABLE stream_events ADD COLUMN version INTEGER NOT NULL DEFAULT 1",
    "correlation_id": "ALTER TABLE stream_events ADD COLUMN correlation_id TEXT NOT NULL DEFAULT ''",
    "causation_id": "ALTER TABLE stream_events ADD COLUMN causation_id TEXT NOT NULL DEFAULT ''",
    "attributes": "ALTER TABLE stream_events ADD COLUMN attributes TEXT NOT NULL DEFAULT '{}'",
}
"""What `stream_events` of an older store lacks; an event of then is of version 1."""

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("row", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""AUTOINCREMENT, so that SQLite never hands out the seq of a deleted row again: subscribers' cursors rest on it."""

CURSORS = Table(
    "cursors",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at_ns", BigInteger, nullable=False),
)

JOB_SLOTS = Table(
    "job_slots",
    METADATA,
    Column("job", String(100), primary_key=True),
    Column("slot_ns", BigInteger, primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("claimed_at_ns", BigInteger, nullable=False),
)

Index("stream_events_by_type", EVENTS.c.type)

AUDIT_ENTRIES = Table(
    "audit_entries",
    METADATA,
    Column("writer", String(100), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)

AUDIT_HEADS = Table(
    "audit_heads",
    METADATA,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("head", Text, nullable=False),
)
"""Signed heads as they were copied to the witness."""

DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    Column("subscription", String(100), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("ts_ns", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("content", Text, nullable=False),
)

CREDENTIALS = Table(
    "credentials",
    METADATA,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("owner", String(200), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("value", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)
"""What proves who somebody is, hashed or sealed; the newest of an owner and kind holds, an empty one takes it away."""

Index("credentials_by_owner", CREDENTIALS.c.owner, CREDENTIALS.c.kind)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("user", String(100), nullable=False),
    Column("began_at_ns", BigInteger, nullable=False),
    Column("ends_at_ns", BigInteger, nullable=False),
    Column("address", String(100), nullable=False),
    Column("agent", String(300), nullable=False),
)

Index("sessions_by_user", SESSIONS.c.user)

SESSION_TOKENS = Table(
    "session_tokens",
    METADATA,
    Column("session", String(40), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)
"""A session's refresh tokens, numbered from 1: only the newest may be used, and once."""

SESSION_ENDS = Table(
    "session_ends",
    METADATA,
    Column("session", String(40), primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("why", String(200), nullable=False),
)

LOGINS = Table(
    "logins",
    METADATA,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("user", String(100), nullable=False),
    Column("address", String(100), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("ok", Integer, nullable=False),
)
"""Attempts to log in, of people and of nobody alike."""

Index("logins_by_user", LOGINS.c.user, LOGINS.c.at_ns)
Index("logins_by_address", LOGINS.c.address, LOGINS.c.at_ns)

USED_CODES = Table(
    "used_codes",
    METADATA,
    Column("user", String(100), primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
)
"""Second factors that were shown: a code is good once."""

ANSWERS = Table(
    "answers",
    METADATA,
    Column("caller", String(200), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)
"""What was answered to a write that names an idempotency key; status 0 while it is being answered."""

ERRANDS = Table(
    "errands",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("kind", String(100), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("asked_by", String(100), nullable=False),
    Column("asked_at_ns", BigInteger, nullable=False),
    Column("open", Integer, nullable=False),
    Column("runner", String(200), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("held_until_ns", BigInteger, nullable=False),
)
"""What people asked for that takes long. Of a runner that holds one, and of none: `runner` is empty, and so in a store
that was restored, where an errand that somebody had begun is lost and not begun again.
"""

Index("errands_open", ERRANDS.c.open, ERRANDS.c.asked_at_ns)

ERRAND_STEPS = Table(
    "errand_steps",
    METADATA,
    Column("errand", String(40), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("state", String(20), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("who", String(200), nullable=False),
    Column("detail", Text, nullable=False),
)
"""What became of errands, step by step; the newest holds. Rows are only added."""
