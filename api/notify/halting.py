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

import orjson

from api.trader import TraderDoor
from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.settings import AresConfig
from ares.control import AuditEntry, ControlStore, once_it_fits
from ares.control.access import AccessStore
from ares.errors import AresError
from ares.security.access.roles import Permission
from ares.security.access.state import User
from ares.security.access.targets import CODE_CHARACTERS, KnownTarget
from ares.telemetry import get_logger

CONFIRM_S_MAX = 60
WORD_LENGTH = 6
WORDS_MAX = 5
"""So many of a chat are good at a time."""
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

    def is_kept(self, word_hash: str, said_at_ns: int) -> bool:
        """Whether this is the word, said in time."""
        return hmac.compare_digest(self.hash, word_hash) and said_at_ns <= self.ends_at_ns


def _promises(text: str) -> list[_Promise]:
    """As they are kept: the newest last. A question that came again after a crash makes no earlier word void."""
    return [_Promise(**each) for each in orjson.loads(text)] if text else []


class Halting:
    """`asked`, then `confirmed`; each returns what is said to the chat, and raises `ControlUnavailable`."""

    def __init__(self, parts: HaltParts) -> None:
        self._parts = parts
        self._store = AccessStore(parts.control)

    def allowed(self, user: User) -> bool:
        """Whether a user may halt this trader, now."""
        account = self._parts.config().trading.account
        return user.enabled and Permission.HALT in user.permissions and user.scope.covers(account=account)

    async def asked(self, known: KnownTarget, reason: str) -> str:
        """Ask for a confirmation."""
        if not self.allowed(known.user):
            await self._audit(known, "halt_refused", reason)
            return "Your role or scope does not allow this."
        word = "".join(secrets.choice(CODE_CHARACTERS) for _ in range(WORD_LENGTH))
        now_ns = self._parts.clock.now_ns()
        standing = [each for each in await self._standing(known) if each.ends_at_ns > now_ns][1 - WORDS_MAX :]
        promises = [*standing, _Promise(_hashed(word), now_ns + CONFIRM_S_MAX * NANOS_PER_SECOND, reason)]
        text = orjson.dumps(promises).decode()
        await asyncio.to_thread(self._store.put_credential, known.target.id, WORD, text, now_ns)
        account = self._parts.config().trading.account
        return f"Halt {account}? Say within {CONFIRM_S_MAX} s: /confirm {word}"

    async def confirmed(self, known: KnownTarget, word: str, update_id: int, said_at_ns: int) -> str:
        """Halt, if this is a word of now; who asks is judged anew."""
        given = _hashed(word.strip().upper())
        kept = (each for each in await self._standing(known) if each.is_kept(given, said_at_ns))
        promise = next(kept, None)
        if promise is None:
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

    async def _standing(self, known: KnownTarget) -> list[_Promise]:
        return _promises(await asyncio.to_thread(self._store.credential, known.target.id, WORD))

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
