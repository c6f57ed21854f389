"""Is the chain whole? Pure: entries and heads in, faults out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from ares.control.audit import GENESIS, ChainLink, chained_hash

Check = Callable[["Head"], bool]


class Head(BaseModel):
    """Where a writer's chain ended at a moment, signed. `previous` is the digest of the head before, of any writer."""

    writer: str
    seq: int
    hash: str
    at_ns: int
    previous: str
    key_id: str
    signature: str = ""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def payload(self) -> bytes:
        """What is signed: everything but the signature."""
        return orjson.dumps(self.model_dump(exclude={"signature"}), option=orjson.OPT_SORT_KEYS)

    def line(self) -> str:
        """As it is kept: one line of JSON."""
        return orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS).decode()

    def digest(self) -> str:
        """What the next head names as its `previous`."""
        return hashlib.sha256(self.line().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where. `kind`: altered, missing, misplaced, truncated, rewritten, head."""

    kind: str
    writer: str
    seq: int
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification looked at and found."""

    entries: int
    writers: int
    heads: int
    faults: Sequence[Fault]


def parse_head(line: str) -> Head | None:
    """A head as `line` wrote it; None for anything else."""
    try:
        return Head.model_validate_json(line)
    except ValidationError:
        return None


def verify(links: Iterable[ChainLink], lines: Iterable[str], kept: Iterable[str], check: Check) -> Verdict:
    """Read all entries once, in order of writer and place, against all heads; memory holds the heads only.

    `lines` are the witness' heads, `kept` those of the control store, of which the witness may lack the newest few.
    `check` says whether a head's signature is genuine.
    """
    faults: list[Fault] = []
    lines = list(lines)
    heads = list(_sound_heads(lines, check, faults))
    faults += _lacking(lines, list(kept))
    expected: dict[str, dict[int, str]] = {}
    for head in heads:
        known = expected.setdefault(head.writer, {})
        if known.setdefault(head.seq, head.hash) != head.hash:
            faults.append(Fault("rewritten", head.writer, head.seq, "two signed heads name different hashes"))
    walk = _Walk(expected)
    entries = 0
    for link in links:
        entries += 1
        faults += walk.step(link)
    faults += walk.end()
    return Verdict(entries, len(walk.last), len(heads), faults)


def _sound_heads(lines: Iterable[str], check: Check, faults: list[Fault]) -> Iterator[Head]:
    previous = GENESIS
    for number, line in enumerate(lines, start=1):
        head = parse_head(line)
        if head is None:
            faults.append(Fault("head", "", number, "not a head"))
            continue
        if not check(head):
            faults.append(Fault("head", head.writer, head.seq, f"signature of key {head.key_id} is not genuine"))
            continue
        if head.previous != previous:
            faults.append(Fault("head", head.writer, head.seq, "a head before this one was removed or changed"))
        previous = head.digest()
        yield head


def _lacking(lines: Sequence[str], kept: Sequence[str]) -> Iterator[Fault]:
    """Heads of the control store that the witness has not: it was cut, or it is not the folder it should be."""
    there = set(lines)
    for line in kept:
        head = parse_head(line)
        if head is None:
            yield Fault("head", "", 0, "the control store keeps something that is not a head")
        elif line not in there:
            yield Fault("head", head.writer, head.seq, "the witness lacks this head: cut off, or not copied yet")


class _Walk:
    """One pass over the chains."""

    def __init__(self, expected: Mapping[str, Mapping[int, str]]) -> None:
        self._expected = expected
        self.last: dict[str, ChainLink] = {}

    def step(self, link: ChainLink) -> Iterator[Fault]:
        before = self.last.get(link.writer)
        due, previous = (before.seq + 1, before.hash) if before else (1, GENESIS)
        self.last[link.writer] = link
        if link.seq != due:
            yield Fault("missing", link.writer, due, f"entries {due} to {link.seq - 1} are gone")
        elif link.hash != chained_hash(previous, link.text):
            yield Fault("altered", link.writer, link.seq, "the hash does not fit the entry and the one before it")
        if not _says_its_place(link):
            yield Fault("misplaced", link.writer, link.seq, "the entry was written for another place")
        signed = self._expected.get(link.writer, {}).get(link.seq)
        if signed is not None and signed != link.hash:
            yield Fault("rewritten", link.writer, link.seq, "a signed head names another hash")

    def end(self) -> Iterator[Fault]:
        for writer, signed in self._expected.items():
            last = self.last[writer].seq if writer in self.last else 0
            newest = max(signed)
            if newest > last:
                yield Fault("truncated", writer, last + 1, f"entries {last + 1} to {newest} were there when signed")


def _says_its_place(link: ChainLink) -> bool:
    try:
        body = orjson.loads(link.text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(body, dict) and (body.get("writer"), body.get("seq")) == (link.writer, link.seq)
