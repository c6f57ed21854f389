"""Goal: nobody changes what the audit chain says without `verify` telling what and where."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ares.control import AuditEntry, ControlStore, NewEvent
from ares.control.audit import GENESIS, ChainLink, canonical, chained_hash
from ares.errors import AuditKeyUnusable, SequenceConflict
from ares.security.audit import Fault, LocalSigner, Witness
from ares.security.audit.chain import parse_head
from ares.security.audit.witness import HEADS, head_lines, verify_with
from ares.testing.clock import SteppedClock

ENTRIES = int(os.environ.get("ARES_TEST_AUDIT", "6000"))
DETECT_S_MAX = 60.0


def entry(number: int, writer: str = "trader/paper") -> AuditEntry:
    return AuditEntry(
        writer, "anna", "limit", number, before={"limit": number}, after={"limit": number + 1}, why="because"
    )


@dataclass
class Chain:
    """A control store with a witness, and a way to its file that goes around us."""

    control: ControlStore
    file: Path
    folder: Path
    witness: Witness

    def tamper(self, *statements: str) -> None:
        connection = sqlite3.connect(self.file)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    def faults(self) -> list[Fault]:
        return list(verify_with(self.control, self.folder).faults)

    def kinds(self) -> set[str]:
        return {fault.kind for fault in self.faults()}


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    file, folder = tmp_path / "control.db", tmp_path / "elsewhere"
    control = ControlStore.open(f"sqlite:///{file}")
    yield Chain(
        control, file, folder, Witness(control, LocalSigner.open(tmp_path / "audit.key"), folder, SteppedClock(0))
    )
    control.close()


def test_untouched_chains_verify_with_all_their_heads(chain: Chain) -> None:
    chain.control.audit([entry(1), entry(2), entry(1, "config")])
    assert chain.witness.look() == 2
    assert chain.witness.look() == 0
    chain.control.audit([entry(3)])
    assert chain.witness.look() == 1
    verdict = verify_with(chain.control, chain.folder)
    assert (verdict.entries, verdict.writers, verdict.heads, verdict.faults) == (4, 2, 3, [])


def test_entry_and_event_are_one_transaction(chain: Chain) -> None:
    event = NewEvent("changed", 1, {})
    chain.control.append("stream", [event], expected_seq=0, audit=[entry(1)])
    with pytest.raises(SequenceConflict):
        chain.control.append("stream", [event], expected_seq=0, audit=[entry(2)])
    assert [link.seq for link in chain.control.audit_links()] == [1]
    (mirrored,) = [each.row for each in chain.control.outbox(0, 10)]
    assert (mirrored.table, mirrored.symbols["who"], mirrored.columns["previous_hash"]) == ("audit", "anna", GENESIS)


ATTACKS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "an entry is altered": (
        ("UPDATE audit_entries SET entry = replace(entry, 'because', 'no reason') WHERE seq = 3",),
        {"altered"},
    ),
    "an entry is deleted": (("DELETE FROM audit_entries WHERE seq = 3",), {"missing"}),
    "two entries change places": (
        (
            "UPDATE audit_entries SET seq = -3 WHERE seq = 3",
            "UPDATE audit_entries SET seq = 3 WHERE seq = 4",
            "UPDATE audit_entries SET seq = 4 WHERE seq = -3",
        ),
        {"altered", "misplaced"},
    ),
    "the tail is cut off": (("DELETE FROM audit_entries WHERE seq > 3",), {"truncated"}),
    "everything is deleted": (("DELETE FROM audit_entries",), {"truncated"}),
    "an entry is moved to another writer": (
        ("UPDATE audit_entries SET writer = 'config', seq = 1 WHERE seq = 6",),
        {"misplaced", "altered", "truncated"},
    ),
    "an entry is no entry any more": (
        ("UPDATE audit_entries SET entry = '{' WHERE seq = 3",),
        {"altered", "misplaced"},
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_done_to_the_store_is_detected(chain: Chain, attack: str) -> None:
    chain.control.audit([entry(number) for number in range(6)])
    chain.witness.look()
    statements, kinds = ATTACKS[attack]
    chain.tamper(*statements)
    assert chain.kinds() == kinds


def rewritten(links: list[ChainLink], change: Callable[[bytes], bytes]) -> list[ChainLink]:
    """The whole chain as somebody would forge it who knows how it is made."""
    previous = GENESIS
    forged: list[ChainLink] = []
    for link in links:
        text = change(link.text.encode()).decode()
        previous = chained_hash(previous, text)
        forged.append(ChainLink(link.writer, link.seq, text, previous))
    return forged


def forge(chain: Chain) -> None:
    links = rewritten(list(chain.control.audit_links()), lambda text: text.replace(b"because", b"for fun"))
    connection = sqlite3.connect(chain.file)
    connection.executemany(
        "UPDATE audit_entries SET entry = ?, hash = ? WHERE writer = ? AND seq = ?",
        [(link.text, link.hash, link.writer, link.seq) for link in links],
    )
    connection.commit()
    connection.close()


def test_whole_chain_that_is_rewritten_with_right_hashes_is_detected_by_the_copy_elsewhere(chain: Chain) -> None:
    chain.control.audit([entry(number) for number in range(6)])
    chain.witness.look()
    forge(chain)
    assert chain.kinds() == {"rewritten"}


def test_rewriting_the_heads_in_the_store_as_well_does_not_help_even_with_the_key(chain: Chain, tmp_path: Path) -> None:
    chain.control.audit([entry(number) for number in range(6)])
    chain.witness.look()
    forge(chain)
    chain.tamper("DELETE FROM audit_heads")
    chain.witness.look()
    assert chain.kinds() == {"rewritten", "head"}


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lambda lines: lines[1:], {"head"}),
        (lambda lines: [lines[0], "garbage", lines[1]], {"head"}),
        (lambda lines: [lines[0].replace('"seq":1', '"seq":9'), lines[1]], {"head"}),
        (lambda lines: [lines[0].replace('"key_id":"', '"key_id":["x"],"more":"'), lines[1]], {"head"}),
        (lambda lines: [re.sub('"signature":".*"', '"signature":5', lines[0]), lines[1]], {"head"}),
        (lambda lines: [lines[0], "\udcff"], {"head"}),
        (lambda lines: lines[:1], {"head"}),
        (lambda lines: [], {"head"}),
    ],
    ids=[
        "the first head is removed",
        "garbage among the heads",
        "a head is changed",
        "a head is of another shape",
        "a signature is no text",
        "bytes that are no text",
        "the newest head is cut off",
        "all heads are gone",
    ],
)
def test_what_is_done_to_the_heads_is_detected(
    chain: Chain, change: Callable[[list[str]], list[str]], kinds: set[str]
) -> None:
    for number in range(2):
        chain.control.audit([entry(number)])
        chain.witness.look()
    path = chain.folder / HEADS
    changed = change(path.read_text(encoding="utf-8").splitlines())
    path.write_text("".join(f"{line}\n" for line in changed), encoding="utf-8", errors="surrogateescape")
    assert chain.kinds() == kinds
    before = path.read_bytes()
    chain.witness.look()
    assert path.read_bytes().startswith(before), "evidence is not written over"


def test_half_a_line_that_a_full_disk_left_is_mended(chain: Chain) -> None:
    for number in range(2):
        chain.control.audit([entry(number)])
        chain.witness.look()
    path = chain.folder / HEADS
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    chain.witness.look()
    assert path.read_bytes() == whole
    assert chain.faults() == []


def test_witness_folder_of_nobody_is_no_proof(chain: Chain, tmp_path: Path) -> None:
    chain.control.audit([entry(1)])
    chain.witness.look()
    assert {fault.kind for fault in verify_with(chain.control, tmp_path / "unmounted").faults} == {"head"}


def test_heads_by_an_old_key_stay_genuine_after_a_new_one(chain: Chain, tmp_path: Path) -> None:
    chain.control.audit([entry(1)])
    chain.witness.look()
    renewed = LocalSigner.open(tmp_path / "new.key")
    chain.control.audit([entry(2)])
    Witness(chain.control, renewed, chain.folder, SteppedClock(0)).look()
    verdict = verify_with(chain.control, chain.folder)
    assert (verdict.heads, verdict.faults) == (2, [])
    keys = {head.key_id for head in map(parse_head, head_lines(chain.folder)) if head is not None}
    assert len(keys) == 2


def test_witness_that_cannot_be_written_keeps_the_heads_until_it_can(chain: Chain) -> None:
    chain.folder.write_text("in the way", encoding="utf-8")
    chain.control.audit([entry(1)])
    assert chain.witness.look() == 1
    chain.folder.unlink()
    assert chain.witness.look() == 0
    assert len(list(head_lines(chain.folder))) == 1
    assert chain.faults() == []


def test_heads_without_any_public_key_are_an_error_that_says_what_to_copy(chain: Chain) -> None:
    chain.control.audit([entry(1)])
    chain.witness.look()
    for public in chain.folder.glob("*.pub"):
        public.write_text("not a key", encoding="utf-8")
    with pytest.raises(AuditKeyUnusable, match=r"no public key there. Copy the \.pub files"):
        chain.faults()


def test_key_that_others_can_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    LocalSigner.open(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(AuditKeyUnusable, match="chmod 600"):
        LocalSigner.open(path)
    path.chmod(0o600)
    path.write_text("garbage", encoding="utf-8")
    with pytest.raises(AuditKeyUnusable, match="Restore it"):
        LocalSigner.open(path)
    path.write_bytes(X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(AuditKeyUnusable, match="not an Ed25519 key"):
        LocalSigner.open(path)


def test_two_genuine_heads_that_contradict_each_other_are_a_fault(chain: Chain, tmp_path: Path) -> None:
    """As after a rewrite that was signed again by somebody who has the key."""
    signer = LocalSigner.open(tmp_path / "audit.key")
    chain.control.audit([entry(1)])
    chain.witness.look()
    (line,) = head_lines(chain.folder)
    first = parse_head(line)
    assert first is not None
    unsigned = first.model_copy(update={"hash": "f" * 64, "previous": first.digest(), "signature": ""})
    second = unsigned.model_copy(update={"signature": signer.sign(unsigned.payload())})
    with (chain.folder / HEADS).open("a", encoding="utf-8") as heads:
        heads.write(second.line() + "\n")
    assert [(fault.kind, fault.detail) for fault in chain.faults()] == [
        ("rewritten", "two signed heads name different hashes")
    ]


def test_keys_of_another_kind_and_signatures_of_unknown_keys_count_for_nothing(chain: Chain) -> None:
    chain.control.audit([entry(1)])
    chain.witness.look()
    (genuine,) = chain.folder.glob("*.pub")
    other = X25519PrivateKey.generate().public_key()
    (chain.folder / "other.pub").write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert chain.faults() == []
    (chain.folder / "unknown.pub").write_bytes(LocalSigner(Ed25519PrivateKey.generate()).public_pem())
    genuine.unlink()
    assert chain.kinds() == {"head"}


def test_writer_whose_chain_moved_on_meanwhile_must_try_again(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Postgres two transactions may read the same end; the second to write is told."""
    chain.control.audit([entry(1)])
    monkeypatch.setattr("ares.control.audit.newest_link", lambda *_: ChainLink("trader/paper", 0, "", GENESIS))
    with pytest.raises(SequenceConflict, match="moved on from 0; try again"):
        chain.control.audit([entry(2)])
    assert chain.faults() == []


def test_every_attack_on_one_of_very_many_is_found_in_time(chain: Chain) -> None:
    """The size is ARES_TEST_AUDIT; `make audit-proof` takes a million."""
    previous, rows = GENESIS, []
    for number in range(1, ENTRIES + 1):
        text = canonical(entry(number), number)
        previous = chained_hash(previous, text)
        rows.append(("trader/paper", number, text, previous))
    connection = sqlite3.connect(chain.file)
    connection.executemany("INSERT INTO audit_entries VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    chain.witness.look()
    assert chain.faults() == []
    middle = ENTRIES // 2
    place = "UPDATE audit_entries SET seq = {} WHERE seq = {}"
    attacks = {
        "truncated": [f"DELETE FROM audit_entries WHERE seq > {ENTRIES - 1}"],
        "altered": [f"UPDATE audit_entries SET entry = replace(entry, 'because', 'no') WHERE seq = {middle}"],
        "misplaced": [place.format(-1, 5), place.format(5, 6), place.format(6, -1)],
        "missing": [f"DELETE FROM audit_entries WHERE seq = {middle + 1}"],
    }
    for kind, statements in attacks.items():
        chain.tamper(*statements)
        sys.stdout.write(f"{kind} among {ENTRIES} found in {seconds_to_find(chain, kind):.1f} s\n")


def test_rewriting_very_many_is_found_in_time(chain: Chain) -> None:
    for start in range(0, ENTRIES, 1_000):
        chain.control.audit([entry(number) for number in range(start, start + 1_000)])
    chain.witness.look()
    forge(chain)
    sys.stdout.write(f"rewriting of {ENTRIES} found in {seconds_to_find(chain, 'rewritten'):.1f} s\n")


def seconds_to_find(chain: Chain, kind: str) -> float:
    began_s = time.monotonic()
    assert kind in chain.kinds()
    took_s = time.monotonic() - began_s
    assert took_s <= DETECT_S_MAX
    return took_s


def test_text_of_an_entry_is_canonical() -> None:
    one = AuditEntry("w", "a", "x", 1, before={"b": 1, "a": 2})
    other = AuditEntry("w", "a", "x", 1, before={"a": 2, "b": 1})
    assert canonical(one, 1) == canonical(other, 1)
    assert orjson.loads(canonical(one, 1))["seq"] == 1
