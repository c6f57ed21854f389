"""Halting from a chat: asked for, confirmed by a word that is good once, within a minute, by the same chat, then done.

What was promised and what was done outlives the process: a confirmation that is delivered again, after a restart say,
halts once. So a person who resumed meanwhile is not overruled by an old message.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import orjson

from api.trader import TraderDoor
from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.settings import AresConfig
from ares.control import AuditEntry, ControlStore, once_it_fits
from ares.control.access import AccessStore
from ares.errors import AresError
from ares.security.access.roles import Permission, permissions_of
from ares.security.access.state import User
from ares.security.access.targets import CODE_CHARACTERS, KnownTarget
from ares.telemetry import get_logger

CONFIRM_S_MAX = 60
WORD_LENGTH = 6
WRITER, WORD = "notify", "halt_word"
WAY_OUT = "Halt by `ares trader halt` on its machine."

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HaltParts:
    """What halting needs."""

    control: ControlStore
    trader: TraderDoor
    clock: Clock
    config: Callable[[], AresConfig]


@dataclass(frozen=True, slots=True)
class _Promise:
    """Which word halts (hashed), until when (UTC ns), and why."""

    hash: str
    ends_at_ns: int
    reason: str

    @property
    def text(self) -> str:
        return orjson.dumps(self).decode()

    @classmethod
    def read(cls, text: str) -> Self | None:
        return cls(**orjson.loads(text)) if text else None


class Halting:
    """`asked`, then `confirmed`; each returns what is said to the chat, and raises `ControlUnavailable`."""

    def __init__(self, parts: HaltParts) -> None:
        self._parts = parts
        self._store = AccessStore(parts.control)

    def allowed(self, user: User) -> bool:
        """Whether a user may halt this trader, now."""
        account = self._parts.config().trading.account
        return user.enabled and Permission.HALT in permissions_of(user.role) and user.scope.covers(account=account)

    async def asked(self, known: KnownTarget, reason: str) -> str:
        """Ask for a confirmation."""
        if not self.allowed(known.user):
            await self._audit(known, "halt_refused", reason)
            return "Your role or scope does not allow this."
        word = "".join(secrets.choice(CODE_CHARACTERS) for _ in range(WORD_LENGTH))
        now_ns = self._parts.clock.now_ns()
        promise = _Promise(_hashed(word), now_ns + CONFIRM_S_MAX * NANOS_PER_SECOND, reason)
        await asyncio.to_thread(self._store.put_credential, known.target.id, WORD, promise.text, now_ns)
        account = self._parts.config().trading.account
        return f"Halt {account}? Say within {CONFIRM_S_MAX} s: /confirm {word}"

    async def confirmed(self, known: KnownTarget, word: str, update_id: int, said_at_ns: int) -> str:
        """Halt, if this is the word of now; who asks is judged anew."""
        promise = _Promise.read(await asyncio.to_thread(self._store.credential, known.target.id, WORD))
        given = _hashed(word.strip().upper())
        if promise is None or not hmac.compare_digest(promise.hash, given) or said_at_ns > promise.ends_at_ns:
            return "That word is none, or is older than a minute. Begin anew: /halt"
        if not self.allowed(known.user):
            await self._audit(known, "halt_refused", promise.reason)
            return "Your role or scope does not allow this."
        caller, request = f"{WRITER}/{known.target.id}", f"update {update_id}"
        now_ns = self._parts.clock.now_ns()
        before = await asyncio.to_thread(self._store.claim_answer, caller, given, request, now_ns)
        if before is not None and (before.request != request or before.status):
            return before.body or "That word was used. Look at /status"
        return await self._halt(known, promise.reason, caller, given)

    async def _halt(self, known: KnownTarget, reason: str, caller: str, key: str) -> str:
        await self._audit(known, "halt_confirmed", reason)
        why = f"{reason or 'by chat'} (Telegram)"
        try:
            said = await self._parts.trader.order("halt", {"actor": known.user.name, "reason": why})
        except AresError as error:
            await asyncio.to_thread(self._store.release_answer, caller, key)
            log.error("chat_halt_failed", user=known.user.name, cause=error.code)
            return f"NOT HALTED, as far as is known: {error}. Say the same again, or look at /status. {WAY_OUT}"
        text = f"{self._parts.config().trading.account} is {said.get('state')}."
        await asyncio.to_thread(self._store.put_answer, caller, key, 200, text)
        log.warning("chat_halted", user=known.user.name, state=str(said.get("state")))
        return text

    async def _audit(self, known: KnownTarget, what: str, reason: str) -> None:
        account = self._parts.config().trading.account
        entry = AuditEntry(
            writer=WRITER,
            who=known.user.name,
            what=what,
            ts_ns=self._parts.clock.now_ns(),
            after={"account": account, "target": known.target.id, "kind": known.target.kind.value},
            why=reason,
        )
        await once_it_fits(f"audit/{WRITER}", lambda: asyncio.to_thread(self._parts.control.audit, [entry]))


def _hashed(word: str) -> str:
    return hashlib.sha256(b"ares halt " + word.encode()).hexdigest()
