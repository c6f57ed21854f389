"""Hears linked chats and answers them. A stranger learns nothing, not even that anybody is here.

Each message is taken once: how far they were taken is kept after each. An old one orders nothing: it was meant for a
moment that has passed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from api.notify.bot_api import BotApi, Update
from api.notify.figures import number
from api.notify.halting import Halting
from api.rates import Rates
from api.trader import TraderDoor
from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.settings import AresConfig
from ares.control import ControlStore, Json
from ares.errors import AresError, ConfigError, ControlUnavailable, UsageError
from ares.security.access.roles import Permission
from ares.security.access.state import User
from ares.security.access.targets import KnownTarget, Targets
from ares.security.access.topics import TargetKind
from ares.security.access.users import By
from ares.service.trader_asked import Answer
from ares.telemetry import get_logger, metrics

TAKEN, TAKEN_AT = "notify_telegram", "notify_telegram_at_s"
IDS_HOLD_S = 6 * 86_400
"""Telegram begins its numbers anew after a week without messages."""
OLD_S = 60
COMMANDS_PER_MINUTE, TRIES_PER_MINUTE = 20, 5
TRIES_OF_ALL_PER_MINUTE = 60
REASON_MAX = 150
LINES_MAX = 20
AGAIN_S = 5.0
OPENS_NOTHING = "This code opens nothing. Make a new one."
LINKED = "Linked to {user}. /help says what can be asked."

log = get_logger(__name__)

Command = Callable[[KnownTarget, str, Update], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class ChatParts:
    """What answering needs. `known`: the targets of who may come in."""

    control: ControlStore
    targets: Targets
    bot: BotApi
    trader: TraderDoor
    halting: Halting
    clock: Clock
    config: Callable[[], AresConfig]


class Chats:
    """`run` lasts until it is cancelled. `error`: why nothing is heard; empty while all is well."""

    def __init__(self, parts: ChatParts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._commands = Rates(parts.clock, lambda: COMMANDS_PER_MINUTE)
        self._tries = Rates(parts.clock, lambda: TRIES_PER_MINUTE)
        self._tries_of_all = Rates(parts.clock, lambda: TRIES_OF_ALL_PER_MINUTE)
        self.error = ""

    async def run(self) -> None:
        """Hear and answer."""
        taken: int | None = None
        begun = False
        while True:
            try:
                if not begun:
                    taken, begun = await asyncio.to_thread(self._taken), True
                for update in await self._parts.bot.updates(taken):
                    await self.take(update)
                    taken = update.id
                self.error = ""
            except AresError as error:
                self.error = str(error)
                log.warning("chats_not_heard", cause=str(error))
                await self._clock.sleep(AGAIN_S)

    async def take(self, update: Update) -> None:
        """Answer a message, and keep that it was taken. Raises `ControlUnavailable`: then it will come again."""
        if update.chat and update.text:
            try:
                await self._answer(update)
            except ControlUnavailable:
                raise
            except Exception as error:  # taken again and again it would keep all others waiting
                log.error("chat_not_answered", error=type(error).__name__, cause=str(error))
        await asyncio.to_thread(self._keep, update.id)

    async def _answer(self, update: Update) -> None:
        known = await asyncio.to_thread(self._known, update.chat)
        name, _, rest = update.text.strip().partition(" ")
        name = name.partition("@")[0].lower()
        if known is None:
            await self._stranger(update, name, rest)
            return
        if not self._commands.spend(update.chat).passes:
            return
        command = self._of(known.user).get(name)
        if command is None:
            command, name = self._help, "/help"
        if self._clock.now_ns() - update.at_ns > OLD_S * NANOS_PER_SECOND:
            metrics.CHAT_COMMANDS.labels(name[1:], "old").inc()
            if name in {"/halt", "/confirm"}:
                await self._say(
                    update.chat, f"Your {name} is older than a minute: it does nothing now. Look, then send it again."
                )
            return
        try:
            text = await command(known, rest.strip(), update)
        except ControlUnavailable:
            raise
        except AresError as error:
            metrics.CHAT_COMMANDS.labels(name[1:], error.code).inc()
            text = f"That failed: {error}"
        else:
            metrics.CHAT_COMMANDS.labels(name[1:], "answered").inc()
        await self._say(update.chat, text)

    async def _stranger(self, update: Update, name: str, rest: str) -> None:
        """Only one thing is open to a stranger: to show a code."""
        if name not in {"/link", "/start"} or not rest or not update.private:
            return
        if not self._tries.spend(update.chat).passes or not self._tries_of_all.spend("").passes:
            return
        linked = await asyncio.to_thread(self._parts.targets.link, rest[:64], update.chat)
        metrics.CHAT_COMMANDS.labels("link", "refused" if linked is None else "answered").inc()
        log.warning("chat_link", opened=linked is not None, user="" if linked is None else linked.user.name)
        await self._say(update.chat, OPENS_NOTHING if linked is None else LINKED.format(user=linked.user.name))

    def _known(self, chat: str) -> KnownTarget | None:
        """Whose chat it is, of who may come in now."""
        for each in self._parts.targets.every():
            if each.target.kind is not TargetKind.TELEGRAM:
                continue
            try:
                if self._parts.targets.address(each.target).place == chat:
                    return each
            except ConfigError as error:
                log.error("target_not_opened", target=each.target.id, cause=str(error))
        return None

    def _of(self, user: User) -> dict[str, Command]:
        """What a user can ask for."""
        found: dict[str, Command] = {"/help": self._help, "/unlink": self._unlink}
        if self._sees_trader(user):
            found |= {"/status": self._status, "/positions": self._positions}
        if self._parts.halting.allowed(user):
            found |= {"/halt": self._halt, "/confirm": self._confirm}
        return found

    def _sees_trader(self, user: User) -> bool:
        """What a trader says of itself is about all strategies of its account."""
        account = self._parts.config().trading.account
        sees = Permission.READ_TRADING in user.permissions
        return sees and user.scope.strategies is None and user.scope.covers(account=account)

    async def _help(self, known: KnownTarget, _: str, __: Update) -> str:
        there = self._of(known.user)
        lines = [f"{name}: {what}" for name, what in HELP.items() if name in there]
        topics = ", ".join(sorted(known.target.topics))
        return "\n".join([f"{known.user.name}, you are told here of: {topics}.", *lines])

    async def _status(self, *_: object) -> str:
        return "\n".join(status_lines(await self._parts.trader.ask("status")))

    async def _positions(self, *_: object) -> str:
        return "\n".join(position_lines(await self._parts.trader.ask("status")))

    async def _halt(self, known: KnownTarget, reason: str, _: Update) -> str:
        return await self._parts.halting.asked(known, " ".join(reason.split())[:REASON_MAX])

    async def _confirm(self, known: KnownTarget, word: str, update: Update) -> str:
        return await self._parts.halting.confirmed(known, word, update.id, update.at_ns)

    async def _unlink(self, known: KnownTarget, _: str, __: Update) -> str:
        by = By(known.user.name, "from the chat")
        try:
            await asyncio.to_thread(self._parts.targets.remove, known.user.name, known.target.id, by)
        except UsageError:
            log.info("unlinked_already", target=known.target.id)
        return "Unlinked. Nothing is told here any more."

    async def _say(self, chat: str, text: str) -> None:
        await self._parts.bot.send(chat, text)

    def _taken(self) -> int | None:
        """The last message that was taken; None where its number means nothing any more."""
        at_s = self._parts.control.cursor(TAKEN_AT)
        if self._clock.now_ns() // NANOS_PER_SECOND - at_s > IDS_HOLD_S:
            return None
        return self._parts.control.cursor(TAKEN)

    def _keep(self, update_id: int) -> None:
        control = self._parts.control
        control.rewind(TAKEN, update_id)
        control.advance(TAKEN, update_id)
        control.advance(TAKEN_AT, self._clock.now_ns() // NANOS_PER_SECOND)


HELP = {
    "/status": "whether it trades, and why not; profit of today",
    "/positions": "what is held",
    "/halt": "stop trading, once you confirmed it; a reason may follow",
    "/unlink": "tell nothing here any more",
    "/help": "this",
}


def status_lines(said: Answer) -> Sequence[str]:
    """What a trader says of itself, for a telephone."""
    pnl = said.get("pnl_quote")
    day = _figure(pnl.get("day")) if isinstance(pnl, dict) else "?"
    reason = f", {said['state_reason']}" if said.get("state_reason") else ""
    paused, orders, positions = (said.get(name) for name in ("paused", "orders_open", "positions"))
    lines = [
        f"{said.get('account')} at {said.get('venue')} is {said.get('state')}",
        f"since {str(said.get('state_since'))[:19]} UTC by {said.get('state_actor')}{reason}",
        f"profit today {day}, cash {_figure(said.get('cash'))}",
        f"{_length(orders)} open orders, {_length(positions)} positions",
    ]
    if not said.get("ready"):
        lines.append("NOT READY")
    if not said.get("leader"):
        lines.append("this trader does not lead")
    if paused:
        lines.append(f"resting: {', '.join(paused) if isinstance(paused, dict) else paused}")
    return lines


def position_lines(said: Answer) -> Sequence[str]:
    """What a trader holds."""
    found = said.get("positions")
    held = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    lines = [
        f"{_figure(each.get('quantity'))} {each.get('symbol')}, {each.get('strategy')}:"
        f" bought at {_figure(each.get('average_price'))}, now {_figure(each.get('mark'))},"
        f" unrealised {_figure(each.get('unrealised_quote'))}"
        for each in held
    ]
    more = [f"and {len(lines) - LINES_MAX} more"] if len(lines) > LINES_MAX else []
    return [*lines[:LINES_MAX], *more] or ["Nothing is held."]


def _figure(value: Json) -> str:
    """A decimal text as people read it, to eight places at most."""
    return number(round(Decimal(value), 8)) if isinstance(value, str) else "?"


def _length(value: Json) -> int:
    return len(value) if isinstance(value, list) else 0
