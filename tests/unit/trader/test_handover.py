"""Goal: one trader of an account lets the other lead when that is asked for, and a lease is never kept for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import orjson
import pytest

from ares.clock import SystemClock
from ares.control import ControlStore, Lease
from ares.errors import LeaseLost, UsageError
from ares.service.doctor import Finding
from ares.testing.clock import SteppedClock
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.command_log import Order
from trader.events import CapitalMoved
from trader.execution import lease as leases
from trader.execution.journal import OrderJournal
from trader.execution.lease import Leadership
from trader.handover import checks
from trader.handover.desk import NotFit
from trader.handover.events import HandoverAsked, HandoverEnded, LeadReady, LeadReleased, LeadSettings, LeadTaken
from trader.handover.log import Asking, HandoverLog, Leading, after, color_of, holder_name, lease_name
from trader.handover.outside import alerts, mirror, schema
from trader.handover.settings import differing
from trader.handover.turn import Self
from trader.risk import TradingState
from trader.runtime import Trader

ADA = Order("ada", "release 0.2.0")
SECOND = 1_000_000_000
BLUE_LED = LeadTaken("blue", "trader@host:1", 3, "0.1.0", 16, {"trading.cycle_s": "5.0"}, "")
GREEN = Self("green", "trader-green@host:2", "0.2.0", 17)


def built(bench: Bench, color: str, **changes: object) -> Trader:
    parts = replace(bench.parts(f"trader-{color}"), color=color)
    return Trader(replace(parts, **changes))  # type: ignore[arg-type] - parts by their names


@pytest.fixture
def live(bench: Bench) -> Bench:
    """On the clock of the wall: two traders run beside one another."""
    bench.clock = bench.venue.clock = SystemClock()
    bench.configure(cycle_s=0.2, sweep_s=0.2, unknown_poll_s=0.1, lease_s=9.5)
    bench.market(target=1.0, signal_age_s=0.0)
    return bench


@asynccontextmanager
async def running(*traders: Trader) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(trader.run()) for trader in traders]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def leading(trader: Trader) -> AsyncIterator[list[asyncio.Task[None]]]:
    """The same, once it leads: who runs beside it from here stands by."""
    async with running(trader) as tasks:
        await until_ready(trader)
        yield tasks


async def until_ready(trader: Trader, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not trader.health().ready:
            await asyncio.sleep(0.02)


async def until_warm(trader: Trader, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while trader.handover.standby.venue_trouble or not trader.account.parts.ledger.is_open:
            await asyncio.sleep(0.02)


async def test_the_asked_colour_leads_and_the_old_leader_lets_go_with_nothing_on_its_way(live: Bench) -> None:
    blue, green = built(live, "blue"), built(live, "green")
    async with leading(blue) as (old,), running(green):
        await until_warm(green)
        assert (await green.commander.status())["leader"] is False
        assert green.health().detail == "standing by"
        async with asyncio.timeout(20):
            while green.ledger.seq != blue.ledger.seq:  # it reads what the leader writes
                await asyncio.sleep(0.02)
        told = await green.handover.switch(ADA, frozenset())
        await asyncio.wait_for(old, 20)
        await until_ready(green)
        async with asyncio.timeout(20):
            while (await green.handover.told())["way_back"] != "blue":  # what it says of it follows
                await asyncio.sleep(0.02)
        now = await green.handover.told()
    assert (now["leads"], now["leader"], now["way_back"]) == (True, "green", "blue")
    wish = now["wish"]
    assert isinstance(wish, dict)
    assert (wish["handover_id"], wish["quiet"], wish["open"]) == (told["handover_id"], True, False)
    types = [event.type for event in live.control.read("leadership/paper")]
    assert types == ["taken", "ready", "asked", "released", "taken", "ready"]
    rows = [(row.symbols["command"], row.symbols["status"]) for row in live.rows("commands")]
    assert rows == [("switch", "received"), ("switch", "done")]
    deposit = CapitalMoved("wire-1", Decimal(1), "ada", "late")
    with pytest.raises(LeaseLost, match="taken over"):
        await blue.account.parts.capital.move(deposit, live.clock.now_ns())


async def test_a_wish_that_is_repeated_is_the_same_and_another_colour_waits(control: ControlStore) -> None:
    clock = SteppedClock()
    said = HandoverLog(control, "paper", clock)
    first = await said.ask(Asking("switch", "green", "ada", "release"), 15.0)
    assert (await said.ask(Asking("switch", "green", "bob", "again"), 15.0)) == first
    with pytest.raises(UsageError, match="ada wants green to lead"):
        await said.ask(Asking("switch", "red", "bob", "mine"), 15.0)
    back = await said.ask(Asking("rollback", "blue", "bob", "odd fills"), 15.0)
    assert back.asked.to == "blue", "a rollback overrules"
    _, kept = control.lease(lease_name("paper"))
    assert kept is not None
    assert kept.holder == "blue"
    entries = [orjson.loads(link.text)["what"] for link in control.audit_links()]
    assert entries == ["handover/switch", "handover/rollback"]
    await clock.advance(60)
    assert (await said.ask(Asking("switch", "red", "bob", "mine"), 15.0)).asked.to == "red", "what ran out binds nobody"


async def test_a_lease_that_nobody_comes_for_goes_back_to_who_let_it_go(
    control: ControlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SteppedClock()
    monkeypatch.setattr(leases, "KEPT_S", 3.0)
    blue = Leadership(control, "paper", "one", clock, 15.0)
    await blue.wait()
    await blue.release(keep_for="green")
    again = asyncio.create_task(Leadership(control, "paper", "one", clock, 15.0).wait())
    for _ in range(20):
        await asyncio.sleep(0.01)
        await clock.advance(0.1)
    assert not again.done(), "it is kept for green"
    for _ in range(40):
        await asyncio.sleep(0.01)
        await clock.advance(0.1)
    await asyncio.wait_for(again, 5)


async def test_who_sends_no_more_may_not_send_though_the_lease_is_its_own(control: ControlStore) -> None:
    lead = Leadership(control, "paper", "one", SteppedClock(), 15.0, color="green")
    await lead.wait()
    assert lead.may_send()
    lead.send_no_more()
    assert not lead.may_send()
    held, _ = control.lease(lease_name("paper"))
    assert held is not None
    assert color_of(held.holder) == "green"
    assert color_of("trader@host:1") == "", "a release that knew no colours"


async def test_an_order_bears_the_number_of_the_lease_under_which_it_is_sent(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market()
    decision = (await trader.cycle.run())[0]
    events = bench.control.read(f"order/paper/{decision.client_order_id}")
    assert events[0].attributes["fencing"] == str(trader.leadership.fencing) == "1"


async def test_a_leader_whose_lease_was_taken_over_writes_nothing_of_an_order(bench: Bench) -> None:
    trader = await bench.trader()
    await bench.advance(16)
    held = Leadership(bench.control, "paper", "other", bench.clock, 15.0)
    await held.wait()
    bench.market()
    with pytest.raises(LeaseLost, match="taken over"):
        await trader.cycle.run()
    assert await OrderJournal(bench.control, "paper").load() == []
    assert not bench.venue.submissions


async def test_a_trader_that_is_not_fit_is_not_let_lead(live: Bench) -> None:
    blue = built(live, "blue", settings={"trading.cycle_s": "5.0"})
    green = built(live, "green", settings={"trading.cycle_s": "1.0"})
    async with leading(blue), running(green):
        await until_warm(green)
        with pytest.raises(NotFit, match=r"settings: trading.cycle_s: 5.0 there, 1.0 here"):
            await green.handover.switch(ADA, frozenset())
        live.venue.key = replace(live.venue.key, withdraw=True)
        told = await green.handover.verify(frozenset({"trading.cycle_s", "key"}))
        failed = {each["check"] for each in _checks(told) if each["status"] == "fail"}
        assert failed == {"key"}, "a setting may differ where that is meant; a key may never do harm"
        assert blue.health().ready


async def test_a_wait_for_what_the_venue_allows_makes_no_quote_old(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.market()
    green = built(bench, "green")

    async def waits() -> None:
        await bench.advance(22)
        bench.market()

    await green.handover.standby.ask_store()
    monkeypatch.setattr(green.handover.standby, "ask_venue", waits)
    (database,) = [each for each in _checks(await green.handover.verify(frozenset())) if each["check"] == "database"]
    assert (database["status"], database["observed"]) == ("ok", "newest quotes: BTC/USDT 0.0 s")


def _checks(told: object) -> list[dict[str, object]]:
    assert isinstance(told, dict)
    return list(told["checks"])


def test_the_log_says_who_leads_who_led_and_what_became_of_a_wish() -> None:
    asked = HandoverAsked("h1", "switch", "green", "ada", "why", 99)
    said: list[object] = [
        BLUE_LED,
        LeadReady("blue", 3, 100),
        LeadSettings("blue", 3, {"trading.cycle_s": "1.0"}),
        LeadSettings("blue", 2, {"trading.cycle_s": "9.0"}),
        asked,
    ]
    now = Leading()
    for seq, each in enumerate(said, 1):
        now = after(now, each, seq, seq * SECOND)
    assert now.leader is not None
    assert (now.leader.settings, now.way_back) == ({"trading.cycle_s": "1.0"}, "")
    assert now.open_wish is not None
    green = LeadTaken("green", "trader-green@host:2", 4, "0.2.0", 17, {}, "h1")
    ends = [LeadReleased("h1", "blue", 3, "green", True, 20), green, LeadReady("green", 4, 50)]
    for seq, end in enumerate([*ends, HandoverEnded("h1", "well", "ada", "")], len(said) + 1):
        now = after(now, end, seq, seq * SECOND)
    assert (now.open_wish, now.way_back, now.ready) == (None, "blue", True)
    assert now.wish is not None
    assert (now.wish.taken_at_ns, now.wish.ready_at_ns) == (7 * SECOND, 8 * SECOND)
    assert now.wish.end is not None
    again = after(now, replace(BLUE_LED, fencing=5), 10, 0)
    assert (again.ready, again.way_back) == (False, "green")


def test_every_check_of_a_candidate_fails_and_passes() -> None:
    led = after(after(Leading(), BLUE_LED, 1, 0), LeadReady("blue", 3, 1), 2, 0)
    held = Lease("trader/paper", holder_name("blue", "trader@host:1"), 3, 9)
    book = checks.BookSeen(4, 0, 1, ())
    pairs: list[tuple[Finding, Finding]] = [
        (checks.leader(led, held, 0, "green"), checks.leader(led, None, 0, "green")),
        (checks.leader(led, held, 0, "blue"), checks.leader(led, held, 9, "green")),
        (checks.leader(led, held, 0, "green"), checks.leader(replace(led, ready=False), held, 0, "green")),
        (checks.leader(led, held, 0, "green"), checks.leader(led, replace(held, holder="trader@a:1"), 0, "green")),
        (checks.settings(led, BLUE_LED.settings, ()), checks.settings(led, {}, ())),
        (checks.settings(led, {"trading.cycle_s": "1"}, ["trading"]), checks.settings(led, {"x": "1"}, ["trading"])),
        (checks.strategies([(STRATEGY, BTC)]), checks.strategies([])),
        (checks.venue("", {}), checks.venue("no answer", {})),
        (checks.key(""), checks.key("it may withdraw")),
        (checks.book(book), checks.book(replace(book, behind=1))),
        (checks.book(book), checks.book(replace(book, short=("1 BTC of 2",)))),
        (checks.database("", {BTC: 1.0}, 10), checks.database("", {BTC: 11.0}, 10)),
        (checks.database("", {BTC: 0.0}, 10), checks.database("", {BTC: None}, 10)),
        (checks.database("", {BTC: 1.0}, 10), checks.database("away", {}, 10)),
        (checks.agreement(None), checks.agreement("two people have not agreed")),
        (schema([]), schema(["0017_pre_x.sql"])),
        (alerts([]), alerts(["NobodyLeads"])),
    ]
    for fine, bad in pairs:
        assert (fine.status, bad.status) == ("ok", "fail"), (fine, bad)
        assert bad.way_out, bad
    warned = [
        checks.release(led, replace(GREEN, schema_level=15)),
        checks.venue("", {BTC: "not traded"}),
        checks.state(TradingState.HALTED, "ada", "odd"),
        mirror(20_000),
    ]
    assert {each.status for each in warned} == {"warn"}
    assert checks.release(led, GREEN).status == checks.state(TradingState.ACTIVE, "", "").status == "ok"
    failed = [Finding("alerts", "fail", "x"), Finding("key", "fail", "x")]
    assert [each.status for each in checks.despite(failed, {"alerts", "key"})] == ["warn", "fail"]


def test_what_the_venue_lacks_of_the_book_is_named_beyond_a_lot() -> None:
    one, lot = Decimal(1), Decimal("0.01")
    assert checks.shorter({"BTC": one}, {"BTC": one - lot}, {"BTC": lot}) == []
    assert checks.shorter({"BTC": one}, {}, {"BTC": lot}) == ["0 BTC of 1"]


def test_settings_differ_by_their_paths() -> None:
    assert differing({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"}) == [("b", "2", "3"), ("c", "(absent)", "4")]
