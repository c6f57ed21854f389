"""The parts of the audit chains that a period needs: contiguous, from what precedes them to a signed head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ares.control import ControlStore
from ares.control.audit import GENESIS, ChainLink, chained_hash
from ares.errors import ArchiveBroken
from ares.security.audit.chain import Fault, Head, parse_head
from ares.security.audit.signer import is_genuine
from ares.security.audit.witness import verify_with
from ares.security.compliance.manifest import ChainPart, Period


@dataclass
class Chains:
    """The chains of a store, verified, and which of their entries belong to a period."""

    control: ControlStore
    period: Period
    faults: Sequence[Fault] = ()
    parts: list[ChainPart] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)

    @classmethod
    def read(cls, control: ControlStore, witness: Path, period: Period) -> Self:
        """Verify everything once, and note what lies in the period. Memory holds the heads only."""
        chains = cls(control, period)
        spans: dict[str, tuple[int, int]] = {}
        chains.faults = verify_with(control, witness, chains._noted(control.audit_links(), spans)).faults
        heads = [head for head in map(parse_head, control.audit_heads()) if head is not None]
        for writer, (first, last) in sorted(spans.items()):
            signed = sorted(head.seq for head in heads if head.writer == writer and head.seq >= first)
            beyond = next((seq for seq in signed if seq >= last), last)
            vouched = max((seq for seq in signed if seq <= beyond), default=0)
            chains.parts.append(ChainPart(writer=writer, first=first, last_within=last, last=beyond, signed_to=vouched))
            chains.heads += [head for head in heads if head.writer == writer and first <= head.seq <= beyond]
        return chains

    def _noted(self, links: Iterable[ChainLink], spans: dict[str, tuple[int, int]]) -> Iterator[ChainLink]:
        for link in links:
            if self._within(link):
                first, _ = spans.get(link.writer, (link.seq, 0))
                spans[link.writer] = (first, link.seq)
            yield link

    def _within(self, link: ChainLink) -> bool:
        """An entry that no longer says when it was written counts: it is what somebody will ask about."""
        try:
            return self.period.holds(int(orjson.loads(link.text)["ts_ns"]))
        except (ValueError, KeyError, TypeError):
            return True

    def lines(self) -> Iterator[bytes]:
        """The entries as the archive keeps them, in order of writer and place."""
        spans = {part.writer: part for part in self.parts}
        previous: dict[str, str] = {}
        for link in self.control.audit_links():
            part = spans.get(link.writer)
            if part is not None and part.first <= link.seq <= part.last:
                body = {
                    "writer": link.writer,
                    "seq": link.seq,
                    "previous_hash": previous.get(link.writer, GENESIS),
                    "hash": link.hash,
                    "within": self._within(link),
                    "text": link.text,
                }
                yield orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
            previous[link.writer] = link.hash

    def head_lines(self) -> Iterator[bytes]:
        """The signed heads of these entries, in order of writer and place."""
        for head in self.heads:
            yield f"{head.line()}\n".encode()


def require_whole(
    parts: Sequence[ChainPart], lines: Iterable[bytes], heads: Iterable[bytes], keys: dict[str, Ed25519PublicKey]
) -> None:
    """Follow every chain of an archive from its first entry to its signed end. Raises `ArchiveBroken`."""
    signed: dict[tuple[str, int], str] = {}
    vouched: dict[str, int] = {}
    for line in heads:
        head = parse_head(line.decode())
        if head is None or not is_genuine(keys, head.key_id, head.payload(), head.signature):
            raise ArchiveBroken(
                "heads.jsonl: a head that none of the given keys signed. Give older public keys as well"
            )
        signed[head.writer, head.seq] = head.hash
        vouched[head.writer] = max(head.seq, vouched.get(head.writer, 0))
    left = {part.writer: part for part in parts}
    last: dict[str, tuple[int, str]] = {}
    for line in lines:
        body = orjson.loads(line)
        writer, seq, before = body["writer"], body["seq"], body["previous_hash"]
        due = last.get(writer, (left[writer].first - 1, before) if writer in left else (-1, ""))
        if (seq - 1, before) != due or body["hash"] != chained_hash(before, body["text"]):
            raise ArchiveBroken(f"audit.jsonl: entry {seq} of {writer} does not follow from the one before it")
        if signed.pop((writer, seq), body["hash"]) != body["hash"]:
            raise ArchiveBroken(f"audit.jsonl: entry {seq} of {writer} is not what was signed")
        last[writer] = (seq, body["hash"])
    if signed or {writer: seq for writer, (seq, _) in last.items()} != {p.writer: p.last for p in parts}:
        raise ArchiveBroken("audit.jsonl: entries are missing that the manifest or a signed head names")
    for part in parts:
        if part.signed_to and part.signed_to != vouched.get(part.writer):
            raise ArchiveBroken(f"heads.jsonl: no signed head of {part.writer} at entry {part.signed_to}")
