"""What goes into an archive: the audit chain, every event of the log, and the rows that explain them."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import orjson

from ares import __version__
from ares.clock import HOUR_NS, to_datetime
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore, StoredEvent
from ares.control.mirror import CURSOR
from ares.errors import AuditBroken, StoreError, StoreUnavailable
from ares.events import EventRegistry
from ares.security.audit.signer import Signer
from ares.security.compliance.archive import Archive, fresh_folder
from ares.security.compliance.chains import Chains
from ares.security.compliance.manifest import FORMAT, Manifest, Period
from ares.store import Database, load_queries
from ares.store.migrate import table_statements
from ares.store.migrations import schema_level
from ares.store.pool import as_int, as_str
from ares.store.server import healthy

QUERIES = load_queries("ares.security", "compliance/tables.sql")
TABLES = ("balances", "decisions", "equity", "lineage", "position_events")
EVENTS_PAGE = 5_000
FAULTS_SHOWN_MAX = 100
_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*")
EVENT_FIELDS = {
    "position": "place over all streams, in the order of commits",
    "stream": "what it happened to: <category>/<account>/<id>",
    "seq": "place in the stream, from 1 without holes",
    "type": "what happened; see types",
    "version": "of the payload's shape",
    "ts_ns": "when it happened, UTC nanoseconds since 1970",
    "payload": "the event; decimals are text",
    "correlation_id": "the piece of work it belongs to",
    "causation_id": "stream@seq of the event that led to it",
    "attributes": "what it is about: account, symbol, strategy",
}
AUDIT_FIELDS = {
    "writer": "whose chain; one chain per writer, numbered from 1 without holes",
    "seq": "place in the chain",
    "previous_hash": "hash of the entry before",
    "hash": "SHA-256 over previous_hash, a newline and text, hexadecimal",
    "within": "whether it lies in the period; others connect to one that does, or to a signed head",
    "text": "the entry, JSON, exactly as it was hashed: who, what, before, after, why",
}
README = b"""What was traded, decided and agreed to in a period. MANIFEST.json says which period, and what is in here.

audit.jsonl, heads.jsonl  who did what, hash-chained, with the signed ends of the chains
events/*.jsonl            everything that happened, by category: orders and their steps, fills, limits, states, consents
tables/*.jsonl            decisions, positions, equity, balances, and what each was made from
SCHEMA.json               what the fields of each file mean

Check it with nothing but the public key: ares audit compliance-verify FILE --keys FOLDER
"""


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported from where. `broken`: also where the audit chain is not whole, which the manifest then says."""

    control: ControlStore
    database: DatabaseConfig
    witness: Path
    signer: Signer
    period: Period
    broken: bool = False


async def export_period(export: Export, archive: Archive, parts: Path) -> tuple[Manifest, str]:
    """Fill and seal an archive; returns its manifest and SHA-256. Memory holds a page or an hour of rows at a time.

    `parts`: a folder beside it for what is gathered before it is packed; removed in the end. Raises `AuditBroken`.
    """
    fresh_folder(parts)
    try:
        return await _filled(export, archive, parts)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


async def _filled(export: Export, archive: Archive, parts: Path) -> tuple[Manifest, str]:
    chains = await asyncio.to_thread(Chains.read, export.control, export.witness, export.period)
    faults = tuple(f"{f.kind} {f.writer} {f.seq}: {f.detail}" for f in chains.faults)
    if faults and not export.broken:
        raise AuditBroken(f"{len(faults)} faults; the first: {faults[0]}. An archive of it must say so: --broken")
    archive.add("README.txt", README.splitlines(keepends=True))
    archive.add("audit.jsonl", chains.lines())
    archive.add("heads.jsonl", chains.head_lines())
    categories = await asyncio.to_thread(_gather_events, export, parts)
    for category in categories:
        archive.add_file(f"events/{category}.jsonl", parts / f"{category}.jsonl")
    tables, left_out = await _gather_tables(export, parts)
    for name in tables:
        archive.add_file(f"tables/{name}.jsonl", parts / f"{name}.rows")
    archive.add("SCHEMA.json", [_schemas(categories, tables)])
    manifest = Manifest(
        format=FORMAT,
        period=export.period,
        release=__version__,
        schema_level=schema_level(),
        files=tuple(archive.files),
        chains=tuple(chains.parts),
        faults=faults if len(faults) <= FAULTS_SHOWN_MAX else (*faults[:FAULTS_SHOWN_MAX], f"{len(faults)} in all"),
        left_out=left_out,
    )
    return manifest, await asyncio.to_thread(archive.seal, manifest, export.signer)


def _gather_events(export: Export, parts: Path) -> Sequence[str]:
    """Every event of the period into a file of its category, in the order of commits; returns the categories."""
    files: dict[str, BinaryIO] = {}
    with ExitStack() as stack:
        for event in _events(export.control):
            if not export.period.holds(event.ts_ns):
                continue
            if event.category not in files:
                assert _FILE_NAME.fullmatch(event.category), f"{event.category!r} names a file"
                files[event.category] = stack.enter_context((parts / f"{event.category}.jsonl").open("wb"))
            files[event.category].write(_event_line(event))
    return sorted(files)


def _events(control: ControlStore) -> Iterator[StoredEvent]:
    end, after = control.log_end(), 0
    while after < end:
        page = control.log(after, EVENTS_PAGE)
        yield from (event for event in page if event.position <= end)
        after = page[-1].position


def _event_line(event: StoredEvent) -> bytes:
    body = {name: getattr(event, name) for name in EVENT_FIELDS}
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SORT_KEYS)


async def _gather_tables(export: Export, parts: Path) -> tuple[Sequence[str], dict[str, str]]:
    """The rows of the period into a file of each table, or why there are none."""
    try:
        if not await asyncio.to_thread(healthy, export.database):
            host, port = export.database.host, export.database.health_port
            raise StoreUnavailable(f"QuestDB at {host}:{port} cannot be reached")
        waiting = await asyncio.to_thread(_waiting, export)
        if waiting:
            raise StoreUnavailable(f"{waiting} rows of the period are not in QuestDB yet: let the service mirror run")
        async with await Database.connect(export.database, readonly=True) as database:
            await database.wait_applied(TABLES)
            for name in TABLES:
                (parts / f"{name}.rows").touch()
            async for name, line in _rows(database, export.period):
                with (parts / f"{name}.rows").open("ab") as file:
                    file.write(line)
    except StoreError as error:
        return [], {f"tables/{name}.jsonl": str(error) for name in TABLES}
    return TABLES, {}


def _waiting(export: Export) -> int:
    """Rows of the period that nobody has carried to QuestDB: an archive that lacked them would not look like it."""
    control, count = export.control, 0
    after = control.cursor(CURSOR)
    while page := control.outbox(after, EVENTS_PAGE):
        count += sum(each.row.table in TABLES and export.period.holds(each.row.ts_ns) for each in page)
        after = page[-1].seq
    return count


async def _rows(database: Database, period: Period) -> AsyncIterator[tuple[str, bytes]]:
    """An hour of a table at a time: name, and its lines."""
    begin, end = to_datetime(period.from_ns), to_datetime(period.to_ns)
    hours = await database.fetch(QUERIES["hours"], {"from": begin, "to": end})
    for row in sorted(hours, key=lambda row: (as_str(row["name"]), as_int(row["hour_ns"]))):
        name, start_ns = as_str(row["name"]), as_int(row["hour_ns"])
        first = start_ns if name == "lineage" else max(start_ns, period.from_ns)
        scope = {"from": to_datetime(first), "to": to_datetime(min(start_ns + HOUR_NS, period.to_ns)), "begin": begin}
        rows = await database.fetch(QUERIES[name], scope)
        yield name, b"".join(orjson.dumps(each, default=_text, option=orjson.OPT_APPEND_NEWLINE) for each in rows)


def _text(value: object) -> str:
    assert isinstance(value, Decimal), f"no JSON for {value!r}"
    return f"{value.normalize():f}"


def _schemas(categories: Sequence[str], tables: Sequence[str]) -> bytes:
    known = EventRegistry.installed().types
    statements = {each.name: each for each in table_statements()}
    files: dict[str, object] = {"audit.jsonl": AUDIT_FIELDS, "heads.jsonl": "signed heads: see the audit guide"}
    for category in categories:
        types = {
            each.name: {"version": each.version, "means": each.purpose, "sample": each.sample()}
            for each in known.values()
            if each.category == category
        }
        files[f"events/{category}.jsonl"] = {"fields": EVENT_FIELDS, "types": types}
    for name in tables:
        files[f"tables/{name}.jsonl"] = {
            "definition": statements[name].sql,
            "times": "*_ns: UTC nanoseconds since 1970",
        }
    return orjson.dumps(files, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
