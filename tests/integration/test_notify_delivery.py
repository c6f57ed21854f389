"""Goal: every target is told what its user may see, at least once and not much more; one that is away holds up none."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from api.notify.delivery import Delivery, DeliveryParts, try_out
from api.notify.places import added, bot_of, targets_of
from api.notify.rows import RowWatch
from api.notify.senders import Senders
from api.notify.service import NotifierService
from ares.clock import MINUTE_NS, SystemClock
from ares.config.settings import AresConfig
from ares.control import ControlStore
from ares.errors import OperatingError
from ares.model.row import Row, UtcNs
from ares.security.access.roles import Role, Scope
from ares.security.access.state import Target
from ares.security.access.targets import Address, KnownTarget, Targets, Wish
from ares.security.access.topics import TargetKind, Topic
from ares.security.access.users import By
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from tests.helpers import eventually
from tests.outside import CHAT, SLACK_PATH, TOKEN, Outside, outside
from trader.events import CHANGED, FILLED, StateChanged
from trader.risk import TradingState

CLOCK = SystemClock()
PASSWORD = "correct horse battery"
QUICK = {"gather_s": 0.05, "retry_s_min": 0.05, "retry_s_max": 0.2, "send_s_max": 20.0, "messages_per_minute": 6_000}


@dataclass(slots=True)
class Newsroom:
    """An installation whose people are told, and where."""

    there: Outside
    context: ServiceContext
    control: ControlStore
    targets: Targets

    @contextlib.asynccontextmanager
    async def telling(self, **settings: object) -> AsyncIterator[Delivery]:
        """News are delivered for the length of the block, as by a process that has just started."""
        notifications = {**self.context.config.notifications.model_dump(), **settings}
        chosen = self.context.config.notifications.model_validate(notifications)
        self.context.config = self.context.config.model_copy(update={"notifications": chosen})
        bot = bot_of(self.context)
        senders = Senders(lambda: self.context.config, CLOCK, bot)
        targets = targets_of(self.context, self.control)
        delivery = Delivery(DeliveryParts(self.control, targets, senders, CLOCK, lambda: chosen))
        work = asyncio.create_task(delivery.run())
        try:
            yield delivery
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await senders.close()
            assert bot is not None
            await bot.close()

    def add(self, name: str, kind: TargetKind, *topics: Topic, path: str = "/hook") -> tuple[Target, str]:
        wish = Wish(kind, "desk", frozenset(topics or {Topic.STATE, Topic.FILLS}))
        if kind is TargetKind.TELEGRAM:
            return self.targets.add(name, wish, Address(str(CHAT)), By(name)), ""
        return added(self.targets, name, wish, f"{self.there.address}{path}", By(name), dev=True)

    def change(self, state: TradingState = TradingState.HALTED, account: str = "paper", reason: str = "why") -> None:
        stream = f"trading_state/{account}"
        event = CHANGED.new(StateChanged(state, "maria", reason), CLOCK.now_ns())
        self.control.append(stream, [event], expected_seq=len(self.control.read(stream)))

    def fill(self, number: int, account: str = "paper") -> None:
        events = [FILLED.new(FILLED.example, CLOCK.now_ns()) for _ in range(number)]
        stream = f"fills/{account}"
        self.control.append(stream, events, expected_seq=len(self.control.read(stream)))


@pytest.fixture
async def room(control: ControlStore, tmp_path: Path) -> AsyncIterator[Newsroom]:
    async with outside() as there:
        settings = {"telegram_token": TOKEN, "telegram_url": there.address, **QUICK}
        config = AresConfig.model_validate({"environment": {"state_dir": tmp_path}, "notifications": settings})
        context = ServiceContext(config, CLOCK, "test")
        targets = targets_of(context, control)
        targets._users.add("maria", Role.TRADER, Scope(), PASSWORD, By("test"))
        yield Newsroom(there, context, control, targets)


async def test_every_kind_of_target_is_told_and_a_webhook_can_prove_by_whom(room: Newsroom) -> None:
    room.add("maria", TargetKind.TELEGRAM)
    room.add("maria", TargetKind.SLACK, path=SLACK_PATH)
    _, key = room.add("maria", TargetKind.WEBHOOK)
    async with room.telling() as delivery:
        room.change(reason="<!channel> & co")
        await eventually(lambda: room.there.said and room.there.slack and room.there.posted, 30)
        assert delivery.troubles == []
    (text,) = room.there.told()
    assert text.startswith("paper is HALTED, by maria: <!channel> & co (")
    assert text.endswith(" UTC)")
    assert room.there.slack[0].startswith("paper is HALTED, by maria: &lt;!channel&gt; &amp; co (")
    (posted,) = room.there.posted
    signature = hmac.new(key.encode(), posted.headers["Ares-Timestamp"].encode() + b"." + posted.body, hashlib.sha256)
    assert posted.headers["Ares-Signature"] == f"v1={signature.hexdigest()}"
    said = json.loads(posted.body)
    assert (said["count"], said["news"][0]["topic"], said["news"][0]["account"]) == (1, "state", "paper")
    assert said["news"][0]["id"] == "trading_state/paper@1"


async def test_a_burst_is_one_message(room: Newsroom) -> None:
    room.add("maria", TargetKind.TELEGRAM)
    room.fill(600)
    room.change()
    async with room.telling():
        await eventually(lambda: room.there.said, 30)
        await asyncio.sleep(0.3)
    (text,) = room.there.told()
    assert text.splitlines()[0].startswith(
        "600 fills: buy 30 BTC/USDT at 62,598.2 on average, signal_momentum of paper"
    )
    assert text.splitlines()[1].startswith("paper is HALTED")


async def test_nobody_is_told_beyond_their_scope_or_after_they_left(room: Newsroom) -> None:
    users = room.targets._users
    users.add("root", Role.ADMIN, Scope(), PASSWORD, By("test"))
    users.add("grace", Role.TRADER, Scope(frozenset({"spot-1"})), PASSWORD, By("test"))
    room.add("grace", TargetKind.SLACK, path=SLACK_PATH)
    room.add("maria", TargetKind.WEBHOOK)
    async with room.telling():
        room.change(account="paper")
        room.change(account="spot-1")
        await eventually(lambda: room.there.slack and len(room.there.posted) > 0, 30)
        assert [text.partition(" ")[0] for text in room.there.slack] == ["spot-1"]
        users.switch("grace", By("root"), enabled=False)
        room.change(TradingState.ACTIVE, account="spot-1")
        await eventually(lambda: any(b"ACTIVE" in each.body for each in room.there.posted), 30)
        users.switch("grace", By("root"), enabled=True)
        room.change(TradingState.REDUCING, account="spot-1")
        await eventually(lambda: len(room.there.slack) == 2, 30)
    assert "REDUCING" in room.there.slack[1]
    assert "ACTIVE" not in room.there.slack[1], "it was while she could not come in"


async def test_a_target_that_is_away_holds_up_none_and_misses_nothing(room: Newsroom) -> None:
    target, _ = room.add("maria", TargetKind.WEBHOOK, path="/nowhere")
    room.add("maria", TargetKind.TELEGRAM)
    async with room.telling() as delivery:
        for state in (TradingState.HALTED, TradingState.REDUCING, TradingState.ACTIVE):
            room.change(state)
            await eventually(lambda state=state: state.value in "".join(room.there.told()), 30)
        await eventually(lambda: delivery.troubles == [f"{target.id}: webhook: answered 404"], 30)
    assert room.control.cursor(f"notify/{target.id}") < room.control.log_end()


async def test_a_target_that_fails_for_long_is_paused_and_a_test_lets_it_go_on(room: Newsroom) -> None:
    target, _ = room.add("maria", TargetKind.WEBHOOK)
    room.there.status = 500
    async with room.telling(paused_after_s=0.2) as delivery:
        room.fill(2)

        def paused() -> str:
            return room.targets.get("maria", target.id).target.paused

        await eventually(paused, 30)
        assert paused().startswith("failed for 0:0")
        await eventually(lambda: delivery.troubles == [f"{target.id} is paused"], 30)
        tried = len(room.there.posted)
        room.fill(3)
        await asyncio.sleep(0.3)
        assert len(room.there.posted) == tried
        known, senders = room.targets.get("maria", target.id), Senders(lambda: room.context.config, CLOCK, None)
        with pytest.raises(OperatingError, match="answered 500"):
            await try_out(room.targets, senders, known)
        assert paused()
        room.there.status = 0
        await try_out(room.targets, senders, known)
        await senders.close()
        assert not paused()
        await eventually(lambda: any(b'"count":5' in each.body for each in room.there.posted[tried:]), 30)
    texts = [json.loads(each.body)["text"] for each in room.there.posted[tried:]]
    assert "Ares: a test. maria is told here of: fills, state" in texts


async def test_a_restart_neither_loses_nor_repeats(room: Newsroom) -> None:
    room.change(TradingState.REDUCING)
    room.add("maria", TargetKind.TELEGRAM)
    async with room.telling():
        room.change(TradingState.HALTED)
        await eventually(lambda: room.there.said, 30)
        await asyncio.sleep(0.2)
    room.change(TradingState.ACTIVE)
    async with room.telling():
        await eventually(lambda: len(room.there.said) == 2, 30)
        await asyncio.sleep(0.2)
    states = [text.split()[2].rstrip(",") for text in room.there.told()]
    assert states == ["HALTED", "ACTIVE"], "and nothing from before it was asked for"


async def test_one_target_gets_so_many_messages_a_minute_and_the_rest_in_one(room: Newsroom) -> None:
    room.add("maria", TargetKind.TELEGRAM)
    async with room.telling(messages_per_minute=2):
        for number in range(6):
            room.change(reason=f"why {number}")
            await asyncio.sleep(0.15)
        await eventually(lambda: len(room.there.said) == 2, 30)
        await asyncio.sleep(0.3)
        assert len(room.there.said) == 2


@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_is_not_followed(room: Newsroom, status: int) -> None:
    target, _ = room.add("maria", TargetKind.WEBHOOK)
    room.there.status = status
    senders = Senders(lambda: room.context.config, CLOCK, None)
    with pytest.raises(OperatingError, match=f"webhook: answered {status}"):
        await try_out(room.targets, senders, room.targets.get("maria", target.id))
    await senders.close()
    assert room.there.paths == []


async def test_a_name_that_leads_to_this_machine_is_not_called_outside_dev(room: Newsroom) -> None:
    target, _ = room.add("maria", TargetKind.WEBHOOK)
    address = room.there.address.replace("127.0.0.1", "localhost")
    prod = room.context.config.environment.model_copy(update={"profile": "prod"})
    config = room.context.config.model_copy(update={"environment": prod})
    room.targets._opened[target.id] = Address(f"{address}/hook", "key")
    senders = Senders(lambda: config, CLOCK, None)
    with pytest.raises(OperatingError, match="leads to this machine or its link"):
        await try_out(room.targets, senders, KnownTarget(room.targets._users.get("maria"), target))
    await senders.close()
    assert room.there.posted == []


async def test_rows_of_the_database_are_news_once_over_restarts(
    room: Newsroom, database: Database, writer: RowWriter, venue: str
) -> None:
    now_ns = CLOCK.now_ns()
    gap = {"gap_id": venue, "revision": 0, "started_at": UtcNs(now_ns - MINUTE_NS), "ended_at": UtcNs(now_ns)}
    place = {"account": venue, "venue": venue, "symbol": "BTC/USDT", "strategy": "s", "action": "refuse", "rule": "Cap"}
    rows = [
        Row("gaps", now_ns, {"venue": venue, "symbol": "BTC/USDT", "channel": "trades", "status": "open", "cause": "x"},
            gap),
        *(Row("decisions", now_ns + n, place, {"cycle_id": f"c{n}", "reason": "too much", "observed": Decimal(5)})
          for n in range(3)),
        Row("job_runs", now_ns, {"job": venue, "status": "crashed", "cause": "schedule"},
            {"run_id": venue, "seq": 1, "outcome": '{"error": "no"}'}),
        Row("job_runs", now_ns, {"job": venue, "status": "ok", "cause": "x"}, {"run_id": f"{venue}-ok", "seq": 1}),
        Row("backups", now_ns, {"kind": venue, "status": "failed"}, {"backup_id": venue, "error": "disk full"}),
        Row("restore_drills", now_ns, {"status": "ok"}, {"drill_id": venue, "rto_s": 31.0, "rpo_market_s": 2.0}),
    ]  # fmt: skip
    await writer.write(rows)
    await database.wait_applied(["gaps", "decisions", "job_runs", "backups", "restore_drills"])
    wanted = dict.fromkeys(("gaps", "decisions", "job_runs", "backups", "restore_drills"), now_ns - 1)
    for _ in range(2):
        watch = RowWatch(database, room.control, CLOCK)
        for _ in range(2):
            await watch.look(wanted)
    seen = [row for event in room.control.category("notice", room.control.log_end()) for row in event.payload["rows"]]  # type: ignore[union-attr]  # a list of rows
    texts = sorted(str(row["text"]) for row in seen if venue in str(row))  # type: ignore[index, call-overload]  # rows are objects
    assert [text.replace(venue, "V") for text in texts] == [
        "backup of V failed: disk full",
        "gap in trades of BTC/USDT at V, 0:01:00 long: open (x)",
        'job V failed, crashed: {"error": "no"}',
        "refused by Cap: BTC/USDT, s of V: too much",
        "restore drill ok: back in 31 s, 2 s of data lost",
    ]


async def test_of_two_notifiers_one_tells_and_the_other_goes_on_once_it_is_gone(room: Newsroom) -> None:
    room.add("maria", TargetKind.WEBHOOK, Topic.STATE)
    contexts = [replace(room.context, instance=name) for name in ("first", "second")]
    services = [NotifierService(context) for context in contexts]
    work = []
    for service in services:
        await service.start()
        work.append(asyncio.create_task(service.run()))
        await eventually(lambda service=service: service.health().detail != "starting", 10)
        await asyncio.sleep(0.2)
    assert [service.health().detail == "another notifier tells" for service in services] == [False, True]
    room.change(reason="first news")
    await eventually(lambda: len(room.there.posted) == 1, 30)
    await _ended(work[0], services[0])
    room.change(TradingState.ACTIVE, reason="second news")
    await eventually(lambda: len(room.there.posted) == 2, 30)
    await _ended(work[1], services[1])
    assert len(room.there.posted) == 2


async def _ended(work: asyncio.Task[None], service: NotifierService) -> None:
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await service.stop()
