"""Goal: a period's audit, events and rows come out as one archive, the same each time, which says what it lacks."""

from __future__ import annotations

import json
import os
import sqlite3
import tracemalloc
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from ares.clock import DAY_NS, SystemClock
from ares.commands.compliance import compliance_verify, period_between
from ares.config.settings import DatabaseConfig
from ares.control import AuditEntry, ControlStore, NewEvent
from ares.control.audit import canonical, chained_hash
from ares.control.mirror import CURSOR
from ares.errors import ArchiveBroken, AuditBroken, UsageError
from ares.model.row import Row
from ares.security.audit import LocalSigner, Witness
from ares.security.audit.signer import public_keys
from ares.security.compliance import Archive, Export, Manifest, Period, export_period, verify_archive
from ares.security.compliance.chains import require_whole
from ares.store import Database, RowWriter
from tests.conftest import free_port
from tests.helpers import ares

EVENTS = int(os.environ.get("ARES_TEST_COMPLIANCE_EVENTS", "20000"))
MEMORY_MB_MAX = 96
FROM_NS = 11_000 * DAY_NS
TO_NS = FROM_NS + DAY_NS
PERIOD = Period.of(FROM_NS, TO_NS)


class Desk:
    """A control store with a history around the period, its witness and its key."""

    def __init__(self, path: Path, database: DatabaseConfig) -> None:
        self.path, self.database = path, database
        self.control = ControlStore.open(f"sqlite:///{path / 'control.db'}")
        self.signer = LocalSigner.open(path / "audit.key")
        self.folder = path / "witness"
        self.witness = Witness(self.control, self.signer, self.folder, SystemClock())

    def say(self, what: str, ts_ns: int, writer: str = "trader/paper") -> None:
        self.control.audit([AuditEntry(writer, "anna", what, ts_ns, after={"limit": 3}, why="because")])

    def event(self, stream: str, kind: str, ts_ns: int) -> None:
        events = self.control.read(stream)
        self.control.append(stream, [NewEvent(kind, ts_ns, {"of": kind})], expected_seq=len(events))

    async def export(self, name: str, *, period: Period = PERIOD, broken: bool = False) -> Manifest:
        self.witness.look()
        path = self.path / name
        export = Export(self.control, self.database, self.folder, self.signer, period, broken)
        with Archive.writing(path) as archive:
            manifest, _ = await export_period(export, archive, path.with_name(f".{name}.parts"))
            archive.publish()
        assert verify_archive(path, public_keys(self.folder)) == manifest
        return manifest

    def lines(self, name: str, file: str) -> list[dict[str, object]]:
        with zipfile.ZipFile(self.path / name) as archive:
            return [json.loads(line) for line in archive.read(file).splitlines()]


@pytest.fixture
def desk(tmp_path: Path, questdb_config: DatabaseConfig) -> Iterator[Desk]:
    there = Desk(tmp_path, questdb_config)
    yield there
    there.control.close()


def filled(desk: Desk) -> None:
    for what, ts_ns in (("before", FROM_NS - 1), ("first", FROM_NS), ("last", TO_NS - 1), ("behind", TO_NS)):
        desk.say(what, ts_ns)
        desk.event("order/paper/o-1", what, ts_ns)
        desk.event("limits/paper", what, ts_ns)
    desk.say("elsewhere", FROM_NS + 5, "config")


async def test_period_holds_its_first_moment_and_not_its_last_in_audit_and_events(desk: Desk) -> None:
    filled(desk)
    manifest = await desk.export("a.zip")
    assert manifest.left_out == {}
    assert [each["type"] for each in desk.lines("a.zip", "events/order.jsonl")] == ["first", "last"]
    assert [each["type"] for each in desk.lines("a.zip", "events/limits.jsonl")] == ["first", "last"]
    entries = desk.lines("a.zip", "audit.jsonl")
    said = [(each["writer"], json.loads(str(each["text"]))["what"], each["within"]) for each in entries]
    assert said == [
        ("config", "elsewhere", True),
        ("trader/paper", "first", True),
        ("trader/paper", "last", True),
        ("trader/paper", "behind", False),
    ]
    assert all(part.signed_to >= part.last_within for part in manifest.chains)
    schema = json.loads(zipfile.ZipFile(desk.path / "a.zip").read("SCHEMA.json"))
    assert set(schema) == {each.name for each in manifest.files} - {"README.txt", "SCHEMA.json"}


async def test_rows_of_the_period_and_what_its_orders_rest_on_are_there(
    desk: Desk, writer: RowWriter, database: Database, venue: str
) -> None:
    decided = {"cycle_id": venue, "mark": Decimal("60000.10"), "quantity": Decimal("0.5"), "version": 2}
    words = {"account": venue, "symbol": "BTC/USDT", "strategy": "s", "action": "buy"}
    rows = [Row("decisions", ts_ns, words, decided) for ts_ns in (FROM_NS - 1, FROM_NS, TO_NS - 1, TO_NS)]
    made = {"from_name": "rsi_14_v1", "to_name": f"model_{venue}", "run_id": venue}
    rows += [
        Row("lineage", FROM_NS - 90 * DAY_NS, {"job": "train", "from_kind": "feature", "to_kind": kind}, made)
        for kind in ("model", "order")
    ]
    await writer.write(rows)
    await database.wait_applied(["decisions", "lineage"])
    await desk.export("a.zip")
    mine = [each for each in desk.lines("a.zip", "tables/decisions.jsonl") if each["account"] == venue]
    assert [each["ts_ns"] for each in mine] == [FROM_NS, TO_NS - 1]
    assert (mine[0]["mark"], mine[0]["quantity"], mine[0]["version"]) == ("60000.1", "0.5", 2)
    lineage = [each for each in desk.lines("a.zip", "tables/lineage.jsonl") if each["run_id"] == venue]
    assert [each["to_kind"] for each in lineage] == ["model"]


async def test_same_period_gives_the_same_bytes_whatever_happened_since(desk: Desk) -> None:
    filled(desk)
    await desk.export("a.zip")
    desk.say("later", TO_NS + DAY_NS)
    desk.event("order/paper/o-2", "later", TO_NS + DAY_NS)
    await desk.export("b.zip")
    assert (desk.path / "a.zip").read_bytes() == (desk.path / "b.zip").read_bytes()
    assert not list(desk.path.glob(".*"))


async def test_empty_period_is_an_archive_that_says_so(desk: Desk) -> None:
    filled(desk)
    manifest = await desk.export("a.zip", period=Period.of(DAY_NS, 2 * DAY_NS))
    assert manifest.chains == ()
    assert {
        each.name: each.lines for each in manifest.files if "README" not in each.name and "SCHEMA" not in each.name
    } == {
        "audit.jsonl": 0,
        "heads.jsonl": 0,
        **{f"tables/{name}.jsonl": 0 for name in ("balances", "decisions", "equity", "lineage", "position_events")},
    }


async def test_without_questdb_everything_else_is_there_and_the_rest_is_named(desk: Desk) -> None:
    filled(desk)
    desk.database = DatabaseConfig(pg_port=free_port(), health_port=free_port(), connect_s_max=0.5)
    manifest = await desk.export("a.zip")
    assert "cannot be reached" in manifest.left_out["tables/decisions.jsonl"]
    assert len(desk.lines("a.zip", "audit.jsonl")) == 4


async def test_rows_that_wait_to_be_carried_are_named_and_not_silently_left_out(
    desk: Desk, writer: RowWriter, database: Database, venue: str
) -> None:
    words = {"account": venue, "symbol": "BTC/USDT", "strategy": "s", "action": "buy"}
    row = Row("decisions", FROM_NS + 7, words, {"cycle_id": venue})
    desk.control.mirror([row, Row("decisions", TO_NS, words, {"cycle_id": venue})])
    manifest = await desk.export("a.zip")
    assert "1 rows of the period are not in QuestDB yet" in manifest.left_out["tables/decisions.jsonl"]
    await writer.write([row])
    await database.wait_applied(["decisions"])
    desk.control.advance(CURSOR, desk.control.outbox_end())
    assert (await desk.export("b.zip")).left_out == {}
    mine = [each for each in desk.lines("b.zip", "tables/decisions.jsonl") if each["account"] == venue]
    assert [each["ts_ns"] for each in mine] == [FROM_NS + 7]


def tamper(desk: Desk) -> None:
    desk.witness.look()
    connection = sqlite3.connect(desk.path / "control.db")
    connection.execute("UPDATE audit_entries SET entry = replace(entry, 'because', 'no reason') WHERE seq = 2")
    connection.commit()
    connection.close()


async def test_broken_chain_is_refused_and_exported_only_with_the_faults_in_the_manifest(desk: Desk) -> None:
    filled(desk)
    tamper(desk)
    with pytest.raises(AuditBroken, match="1 faults; the first: altered trader/paper 2"):
        await desk.export("a.zip")
    assert not list(desk.path.glob("*a.zip*"))
    manifest = await desk.export("b.zip", broken=True)
    assert manifest.faults == ("altered trader/paper 2: the hash does not fit the entry and the one before it",)


async def test_chain_that_does_not_lead_to_its_signed_end_is_found_behind_a_genuine_signature(desk: Desk) -> None:
    for n in range(5):
        desk.say(f"n{n}", FROM_NS + n)
    await desk.export("a.zip")
    entries = [orjson.dumps(each) for each in desk.lines("a.zip", "audit.jsonl")]
    heads = [orjson.dumps(each) for each in desk.lines("a.zip", "heads.jsonl")]
    keys = public_keys(desk.folder)
    parts = verify_archive(desk.path / "a.zip", keys).chains
    require_whole(parts, entries, heads, keys)
    for at in range(5):
        for changed in (
            [*entries[:at], *entries[at + 1 :]],
            [*entries, entries[at]],
            [*entries[:at], entries[at].replace(b"because", b"for fun"), *entries[at + 1 :]],
            forged(entries),
            [],
        ):
            with pytest.raises(ArchiveBroken):
                require_whole(parts, changed, heads, keys)
    with pytest.raises(ArchiveBroken, match="no signed head of trader/paper at entry 5"):
        require_whole(parts, entries, [], keys)
    with pytest.raises(ArchiveBroken, match="none of the given keys"):
        require_whole(parts, entries, [heads[0].replace(b'"seq":5', b'"seq":4')], keys)


def forged(lines: list[bytes]) -> list[bytes]:
    """The whole chain anew with right hashes, as somebody would who knows how it is made."""
    previous = "0" * 64
    out: list[bytes] = []
    for line in lines:
        body = json.loads(line)
        text = body["text"].replace("because", "for fun")
        body |= {"text": text, "previous_hash": previous, "hash": chained_hash(previous, text)}
        previous = body["hash"]
        out.append(orjson.dumps(body))
    return out


async def test_memory_does_not_grow_with_the_period(desk: Desk) -> None:
    """The size is ARES_TEST_COMPLIANCE_EVENTS; `make compliance-proof` takes a million events and as many entries."""
    connection = sqlite3.connect(desk.path / "control.db")
    payload = json.dumps({"why": "x" * 200})
    step = DAY_NS // (EVENTS + 1)
    connection.executemany(
        "INSERT INTO stream_events (stream, seq, type, ts_ns, payload) VALUES (?, 1, 'intended', ?, ?)",
        ((f"order/paper/{n}", FROM_NS + n * step, payload) for n in range(EVENTS)),
    )
    previous = "0" * 64
    for n in range(1, EVENTS + 1):
        text = canonical(AuditEntry("w", "anna", "limit", FROM_NS + n * step, why="because"), n)
        previous = chained_hash(previous, text)
        connection.execute("INSERT INTO audit_entries VALUES ('w', ?, ?, ?)", (n, text, previous))
    connection.commit()
    connection.close()
    tracemalloc.start()
    try:
        manifest = await desk.export("a.zip")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    lines = {each.name: each.lines for each in manifest.files}
    assert (lines["events/order.jsonl"], lines["audit.jsonl"]) == (EVENTS, EVENTS)
    assert peak < MEMORY_MB_MAX * 1024 * 1024, f"{peak / 1024 / 1024:.0f} MB"


def test_archive_is_made_recorded_and_verified_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = {"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path), "ARES_DATABASE__HEALTH_PORT": str(free_port())}
    control = ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")
    control.audit([AuditEntry("config", "anna", "limit", FROM_NS)])
    out = tmp_path / "past.zip"
    made = ares("audit", "compliance", "--out", str(out), "--from", "2000-01-01", "--to", "2001-01-01", **here)
    assert (made.returncode, "without tables/decisions.jsonl: QuestDB" in made.stdout) == (0, True), made.stderr
    (recorded,) = [link.text for link in control.audit_links() if link.writer == "compliance"]
    assert json.loads(recorded)["after"]["from"] == "2000-01-01T00:00:00.000000000Z"
    private = (tmp_path / "audit.key").read_bytes().splitlines()[1]
    with zipfile.ZipFile(out) as archive:
        assert not [name for name in archive.namelist() if private in archive.read(name)]
    control.close()
    compliance_verify(out, tmp_path / "witness", json=False)
    assert "genuine, but not whole: 2000-01-01T00:00:00" in capsys.readouterr().out
    content = bytearray(out.read_bytes())
    content[len(content) // 2] ^= 1
    out.write_bytes(content)
    broken = ares("audit", "compliance-verify", str(out), "--keys", str(tmp_path / "witness"))
    assert (broken.returncode, "changed after it was signed" in broken.stderr) == (1, True), broken.stdout


@pytest.mark.parametrize(
    ("bounds", "complaint"),
    [
        (("2020-01-01", "2999-01-01"), "still to come"),
        (("2020-01-01", "2020-01-01"), "not behind --from"),
        (("yesterday", "2020-01-01"), "no date or moment"),
    ],
)
def test_period_that_is_none_is_refused_with_the_way_out(bounds: tuple[str, str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        period_between(*bounds, SystemClock().now_ns())
