"""Goal: a linked chat asks and halts in its user's name, once, over kills; nobody else learns or does anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.notify.bot_api import BotApi
from api.notify.chats import OPENS_NOTHING, ChatParts, Chats
from api.notify.halting import Halting, HaltParts, _hashed
from api.trader import TraderDoor
from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.notifications import NotificationsConfig
from ares.config.settings import AresConfig
from ares.control import ControlStore
from ares.control.access import AccessStore
from ares.errors import OperatingError, VenueUnavailable
from ares.security.access.roles import Role, Scope
from ares.security.access.targets import Address, Targets, Wish
from ares.security.access.topics import TargetKind, Topic
from ares.security.access.users import By, Users
from ares.service import ServiceContext
from ares.service.entrance import keyring_of
from ares.service.trader_door import TraderPlace
from tests.helpers import eventually
from tests.integration.test_trader_control import parts_on
from tests.outside import CHAT, STRANGER, TOKEN, Outside, outside
from trader.command_log import Order
from trader.control_port import ControlPort
from trader.runtime import Trader

CLOCK = SystemClock()
PASSWORD = "correct horse battery"
WISH = Wish(TargetKind.TELEGRAM, "phone", frozenset({Topic.STATE, Topic.ALERTS}))
ACCOUNT = "paper"


@dataclass(slots=True)
class Desk:
    """A trader, people who may come in, and the bot they speak to."""

    there: Outside
    config: AresConfig
    control: ControlStore
    users: Users
    targets: Targets
    trader: Trader

    def chats(self) -> Chats:
        """As a process that has just started builds them."""
        door = TraderDoor(TraderPlace.of(self.config))
        halting = Halting(HaltParts(self.control, door, CLOCK, lambda: self.config))
        bot = BotApi(self.config.notifications, CLOCK)
        return Chats(ChatParts(self.control, self.targets, bot, door, halting, CLOCK, lambda: self.config))

    @contextlib.asynccontextmanager
    async def hearing(self) -> AsyncIterator[Chats]:
        """Chats are heard for the length of the block."""
        chats = self.chats()
        work = asyncio.create_task(chats.run())
        try:
            yield chats
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await chats._parts.bot.close()

    def link(self, name: str, chat: int = CHAT) -> str:
        """The chat of a user, as linking makes it."""
        return self.targets.add(name, WISH, Address(str(chat)), By(name)).id

    async def answer(self, text: str, chat: int = CHAT, *, age_s: int = 0) -> str:
        """What is said to a message."""
        before = len(self.there.told(chat))
        self.there.write(text, chat, age_s=age_s)
        await eventually(lambda: len(self.there.told(chat)) > before, 30)
        return self.there.told(chat)[-1]

    async def settled(self) -> None:
        """Return once everything that was written is taken, whether it is answered or not."""
        await eventually(lambda: not self.there.waiting, 30)

    @property
    def halts(self) -> int:
        """How often the trader was told to halt."""
        changes = [event.payload for event in self.control.read(f"trading_state/{ACCOUNT}")]
        return sum(each["state"] == "HALTED" for each in changes)

    async def resume(self) -> None:
        await self.trader.commander.resume(Order("grace", "looked"))
        assert self.trader.states.current.state.value == "ACTIVE"


@pytest.fixture
async def desk(control: ControlStore, tmp_path: Path) -> AsyncIterator[Desk]:
    """A real trader that leads, with its control port; maria trades, others look."""
    trader = Trader(parts_on(control))
    await trader.leadership.wait()
    await trader.begin()
    port = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    await port.start()
    async with outside() as there:
        settings = {"telegram_token": TOKEN, "telegram_url": there.address, "telegram_poll_s": 1}
        config = AresConfig.model_validate(
            {"environment": {"state_dir": tmp_path}, "trading": {"account": ACCOUNT}, "notifications": settings}
        )
        users = Users(control, CLOCK)
        users.add("maria", Role.TRADER, Scope(), PASSWORD, By("test"))
        keyring = keyring_of(ServiceContext(config, CLOCK, "test"))
        yield Desk(there, config, control, users, Targets(users, control, keyring, CLOCK), trader)
    await port.stop()


def word_of(answer: str) -> str:
    found = re.fullmatch(rf"Halt {ACCOUNT}\? Say within 60 s: /confirm ([A-Z2-9]{{6}})", answer)
    assert found is not None, answer
    return found[1]


async def test_a_chat_is_linked_asks_and_halts_a_real_trader_once_it_confirms(desk: Desk) -> None:
    code = desk.targets.new_code("maria", WISH, 600)
    async with desk.hearing():
        assert await desk.answer(f"/link {code}") == "Linked to maria. /help says what can be asked."
        assert "/halt: stop trading" in await desk.answer("what now?")
        assert re.match(r"paper at \w+ is ACTIVE\n", await desk.answer("/status@ares_bot"))
        assert "BTC/USDT" in await desk.answer("/positions")
        word = word_of(await desk.answer("/halt odd   fills"))
        assert desk.halts == 0, "asked is not done"
        assert "That word is none" in await desk.answer("/confirm AAAAAA")
        assert desk.halts == 0
        assert await desk.answer(f"/confirm {word.lower()}") == "paper is HALTED."
        assert desk.trader.states.current.state.value == "HALTED"
        assert (desk.trader.states.current.actor, desk.trader.states.current.reason) == (
            "maria",
            "odd fills (Telegram)",
        )
        await desk.resume()
        await desk.answer(f"/confirm {word}")
        assert (desk.halts, desk.trader.states.current.state.value) == (1, "ACTIVE"), "good once"
    audited = [json.loads(link.text) for link in desk.control.audit_links() if link.writer == "notify"]
    assert [(each["who"], each["what"]) for each in audited] == [("maria", "halt_confirmed")]


async def test_strangers_and_who_may_not_come_in_get_silence(desk: Desk) -> None:
    desk.link("maria")
    desk.users.add("root", Role.ADMIN, Scope(), PASSWORD, By("test"))
    async with desk.hearing():
        for text in ("/help", "/status", "/halt", "/confirm AAAAAA", "/link", "hello", "/start"):
            desk.there.write(text, STRANGER)
        await desk.settled()
        assert desk.there.told(STRANGER) == []
        for _ in range(8):
            desk.there.write("/link AAAABBBBCCCC", STRANGER)
        await desk.settled()
        assert desk.there.told(STRANGER) == [OPENS_NOTHING] * 5, "whatever the cause, and no more than five a minute"
        desk.users.switch("maria", By("root"), enabled=False)
        desk.there.write("/status")
        desk.there.write("/halt")
        await desk.settled()
    assert (desk.there.told(), desk.halts) == ([], 0)


async def test_a_group_is_not_linked(desk: Desk) -> None:
    code = desk.targets.new_code("maria", WISH, 600)
    async with desk.hearing():
        desk.there.write(f"/link {code}", kind="group")
        await desk.settled()
        assert desk.there.said == []
        assert await desk.answer(f"/start {code}") == "Linked to maria. /help says what can be asked."


async def test_the_role_and_scope_of_the_moment_decide(desk: Desk) -> None:
    desk.users.add("root", Role.ADMIN, Scope(), PASSWORD, By("test"))
    desk.link("maria")
    async with desk.hearing():
        word = word_of(await desk.answer("/halt"))
        for role, scope in ((Role.VIEWER, Scope()), (Role.TRADER, Scope(frozenset({"spot-2"})))):
            desk.users.allow("maria", role, scope, By("root"))
            told = await desk.answer(f"/confirm {word}")
            assert "/confirm" not in told.replace("/confirm:", "") or "does not allow" in told
            assert "/halt" not in await desk.answer("/help")
        assert desk.halts == 0
        desk.users.allow("maria", Role.OPERATOR, Scope(None, frozenset({"other"})), By("root"))
        assert "/status" not in await desk.answer("/help"), "a trader's status is about all strategies"
        assert await desk.answer(f"/confirm {word}") == "paper is HALTED."


async def test_old_orders_are_not_carried_out(desk: Desk) -> None:
    desk.link("maria")
    async with desk.hearing():
        assert "older than a minute: it does nothing" in await desk.answer("/halt", age_s=61)
        word = word_of(await desk.answer("/halt"))
        assert "older than a minute: it does nothing" in await desk.answer(f"/confirm {word}", age_s=61)
        desk.there.write("/status", age_s=61)
        await desk.settled()
        assert len(desk.there.told()) == 3
        assert desk.halts == 0


async def test_a_confirmation_that_comes_again_after_a_kill_halts_once(desk: Desk) -> None:
    desk.link("maria")
    async with desk.hearing():
        word = word_of(await desk.answer("/halt"))
        await desk.settled()
    desk.there.write(f"/confirm {word}")
    killed = desk.chats()
    (update,) = await killed._parts.bot.updates(desk.control.cursor("notify_telegram"))
    await killed._answer(update)
    await killed._parts.bot.close()
    assert (desk.halts, desk.there.told()[-1]) == (1, "paper is HALTED."), "done, and not kept as taken"
    await desk.resume()
    async with desk.hearing():
        await eventually(lambda: desk.there.told()[-2:] == ["paper is HALTED."] * 2, 30)
        await desk.settled()
    assert (desk.halts, desk.trader.states.current.state.value) == (1, "ACTIVE")


async def test_a_confirmation_that_a_kill_cut_off_halts_after_the_restart(desk: Desk) -> None:
    target = desk.link("maria")
    async with desk.hearing():
        word = word_of(await desk.answer("/halt"))
    number = desk.there.write(f"/confirm {word}")
    store = AccessStore(desk.control)
    store.claim_answer(f"notify/{target}", _hashed(word), f"update {number}", CLOCK.now_ns())
    async with desk.hearing():
        await eventually(lambda: desk.there.told()[-1] == "paper is HALTED.", 30)
    assert desk.halts == 1


async def test_a_trader_that_is_away_is_said_and_the_same_word_halts_later(desk: Desk, tmp_path: Path) -> None:
    desk.link("maria")
    address = tmp_path / "run" / "trader.address"
    async with desk.hearing():
        word = word_of(await desk.answer("/halt"))
        there = address.read_text(encoding="utf-8")
        address.unlink()
        assert (await desk.answer(f"/confirm {word}")).startswith("NOT HALTED")
        address.write_text(there, encoding="utf-8")
        assert await desk.answer(f"/confirm {word}") == "paper is HALTED."


async def test_an_unlinked_chat_is_a_stranger(desk: Desk) -> None:
    desk.link("maria")
    async with desk.hearing():
        assert await desk.answer("/unlink") == "Unlinked. Nothing is told here any more."
        desk.there.write("/help")
        await desk.settled()
        assert len(desk.there.told()) == 1
    assert desk.targets.of("maria") == []


async def test_no_error_tells_the_token(desk: Desk) -> None:
    config = desk.config.notifications
    wrong = config.model_copy(update={"telegram_token": SecretStr("110:wrong-and-secret")})
    dead = config.model_copy(update={"telegram_url": "http://127.0.0.1:1", "send_s_max": 0.5, "telegram_poll_s": 0.5})
    for each, kind in ((wrong, OperatingError), (dead, VenueUnavailable)):
        assert isinstance(each, NotificationsConfig)
        bot = BotApi(each, CLOCK)
        try:
            with pytest.raises(kind) as caught:
                await bot.updates(None)
            text = f"{caught.value!r} {caught.value.__cause__!r}"
            assert "secret" not in text
            assert TOKEN not in text
            error = caught.value
            assert error.__suppress_context__ or error.__context__ is None, "nor does what led to it"
        finally:
            await bot.close()
    desk.there.status, desk.there.retry_after = 429, 7
    bot = BotApi(config, CLOCK)
    with pytest.raises(VenueUnavailable) as later:
        await bot.updates(None)
    assert later.value.retry_after_s == 7
    await bot.close()


@contextlib.contextmanager
def notifier(desk: Desk) -> Iterator[subprocess.Popen[bytes]]:
    """The notifier as a process of its own."""
    settings = {
        "ENVIRONMENT__STATE_DIR": desk.config.environment.state_dir,
        "TRADING__ACCOUNT": ACCOUNT,
        "NOTIFICATIONS__TELEGRAM_TOKEN": TOKEN,
        "NOTIFICATIONS__TELEGRAM_URL": desk.there.address,
        "NOTIFICATIONS__TELEGRAM_POLL_S": 1,
        "DATABASE__PG_PORT": 1,
    }
    environ = {**os.environ, **{f"ARES_{name}": str(value) for name, value in settings.items()}}
    command = [sys.executable, "-m", "ares.cli", "service", "run", "notifier"]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_kills_lose_no_confirmation_and_repeat_none(desk: Desk) -> None:
    desk.link("maria")
    with notifier(desk) as first:
        desk.there.write("/halt")
        await eventually(desk.there.told, 60)
        first.kill()
        first.wait()
        desk.there.write(f"/confirm {word_of(desk.there.told()[-1])}")
        assert desk.halts == 0
        with notifier(desk):
            await eventually(lambda: desk.there.told()[-1] == "paper is HALTED.", 60)
            await eventually(lambda: desk.control.cursor("notify_telegram_at_s") > 0)
    assert desk.halts == 1
    assert CLOCK.now_ns() // NANOS_PER_SECOND - desk.control.cursor("notify_telegram_at_s") < 60
