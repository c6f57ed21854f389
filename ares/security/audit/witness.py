"""Copies of signed heads outside of the control store: who rewrites the chain would have to rewrite them too.

The folder belongs on another machine or medium (a mounted share, an append-only bucket); next to the control store it
still notices accidents, and `verify` says that it proves no more.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ares.clock import Clock
from ares.control import ControlStore
from ares.control.audit import GENESIS, ChainLink
from ares.errors import AuditKeyUnusable
from ares.security.audit.chain import Head, Verdict, parse_head, verify
from ares.security.audit.signer import Signer, is_genuine, public_keys
from ares.telemetry import get_logger, metrics

HEADS = "heads.jsonl"

log = get_logger(__name__)


class Witness:
    """Signs how far every chain has come, and keeps it in the control store and in a folder elsewhere."""

    def __init__(self, control: ControlStore, signer: Signer, folder: Path, clock: Clock) -> None:
        self._control = control
        self._signer = signer
        self._folder = folder
        self._clock = clock

    def look(self) -> int:
        """Sign the chains that grew, bring the folder up to date; returns how many heads are new.

        A folder that cannot be written raises an alarm (`ares_audit_witness_failed` 1, a log line) and nothing else:
        the heads wait in the control store.
        """
        kept = list(self._control.audit_heads())
        newest = {head.writer: head for head in (parse_head(line) for line in kept) if head is not None}
        last = parse_head(kept[-1]) if kept else None
        previous = GENESIS if last is None else last.digest()
        fresh: list[str] = []
        for link in self._control.audit_ends():
            if link.writer in newest and newest[link.writer].seq >= link.seq:
                continue
            head = self._signed(link, previous)
            previous = head.digest()
            fresh.append(head.line())
        self._control.keep_audit_heads(fresh)
        self._copy([*kept, *fresh])
        return len(fresh)

    def _signed(self, link: ChainLink, previous: str) -> Head:
        unsigned = Head(
            writer=link.writer,
            seq=link.seq,
            hash=link.hash,
            at_ns=self._clock.now_ns(),
            previous=previous,
            key_id=self._signer.key_id,
        )
        return unsigned.model_copy(update={"signature": self._signer.sign(unsigned.payload())})

    def _copy(self, lines: list[str]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            public = self._folder / f"{self._signer.key_id}.pub"
            if not public.exists():
                public.write_bytes(self._signer.public_pem())
            there = list(head_lines(self._folder))
            if there and not _ends_whole(self._folder / HEADS):
                there = _without_torn_end(self._folder / HEADS, there)
            if lines[: len(there)] != there:
                metrics.AUDIT_WITNESS_FAILED.set(1)
                log.error("audit_heads_differ", folder=str(self._folder), way_out="run `ares audit verify`")
                return
            _append(self._folder / HEADS, lines[len(there) :])
        except OSError as error:
            metrics.AUDIT_WITNESS_FAILED.set(1)
            log.error("audit_witness_unwritable", folder=str(self._folder), error=error.strerror)
            return
        metrics.AUDIT_WITNESS_FAILED.set(0)


def _ends_whole(path: Path) -> bool:
    return path.read_bytes().endswith(b"\n")


def _without_torn_end(path: Path, there: list[str]) -> list[str]:
    """A disk that filled up, or a kill in the middle, left half a line: no head, so nothing is lost with it."""
    whole = there[:-1]
    path.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")
    log.warning("audit_witness_mended", folder=str(path.parent), lost=there[-1][:80])
    return whole


def _append(path: Path, lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if text:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def head_lines(folder: Path) -> Iterator[str]:
    """The heads that a witness folder holds; bytes that are no text stay visible as such."""
    path = folder / HEADS
    if path.is_file():
        yield from path.read_text(encoding="utf-8", errors="backslashreplace").splitlines()


def verify_with(control: ControlStore, folder: Path, links: Iterable[ChainLink] | None = None) -> Verdict:
    """Check the chains against the heads in a witness folder; `links`: them, by way of somebody who looks on.

    Raises `AuditKeyUnusable` if the folder holds no public key.
    """
    keys = public_keys(folder)
    lines = list(head_lines(folder))
    if lines and not keys:
        raise AuditKeyUnusable(str(folder), "no public key there", "Copy the .pub files of the witness to it")
    return verify(
        control.audit_links() if links is None else links,
        lines,
        control.audit_heads(),
        lambda head: is_genuine(keys, head.key_id, head.payload(), head.signature),
    )
