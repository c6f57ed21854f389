"""Goal: a strategy rests, an order is cancelled, previewed or sent by hand: by the same rules, with the same rows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import StoreUnavailable, UnknownName, UsageError, VenueUnavailable
from ares.model.strategies import MANUAL
from ares.service.maintenance import Maintenance
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.command_log import Order
from trader.commander import NotLeading, OrderIsOver
from trader.control_bodies import Body
from trader.execution.ids import is_ours, manual_order_id
from trader.execution.limits import Scope
from trader.manual_words import Wish
from trader.reader import MarketSeen
from trader.risk import TradingState
from trader.testing import GRID

ADA = Order("ada", "odd fills")
D = Decimal


@pytest.fixture(autouse=True)
def market(bench: Bench) -> None:
    """Rows tell a market, without which nothing is bought."""
    bench.market(target=0.0)


def wish(quantity: str = "0.01", **changes: object) -> Wish:
    texts = {"symbol": BTC, "side": "buy", "quantity": quantity, "id": "hedge-1", **changes}
    return Body({name: str(value) for name, value in texts.items()}).wish()


async def test_a_paused_strategy_decides_nothing_until_it_is_resumed(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    outcome = await trader.commander.pause(ADA, STRATEGY)
    assert (outcome["changed"], outcome["paused"]) == (True, [STRATEGY])
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.reason) == ("skip", "paused")
    assert not bench.venue.submissions
    assert (await trader.commander.resume_strategy(ADA, STRATEGY))["paused"] == []
    await bench.advance(5)
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert decision.action == "buy"


async def test_a_pause_survives_a_restart_and_says_who_and_why(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.pause(ADA, STRATEGY)
    successor = await bench.trader()
    status = await successor.commander.status()
    assert status["state"] == "ACTIVE"
    paused = status["paused"]
    assert isinstance(paused, dict)
    told = paused[STRATEGY]
    assert isinstance(told, dict)
    assert (told["actor"], told["reason"]) == ("ada", "odd fills")
    bench.market(target=1.0)
    assert [d.reason for d in await successor.cycle.run()] == ["paused"]


async def test_a_pause_said_by_another_process_is_seen_at_the_next_cycle(bench: Bench) -> None:
    trader = await bench.trader()
    standby = bench.build()
    await standby.commander.pause(ADA, STRATEGY)
    bench.market(target=1.0)
    assert [d.reason for d in await trader.cycle.run()] == ["paused"]


async def test_pausing_twice_is_one_change_with_one_audit_entry(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.pause(ADA, STRATEGY)
    assert (await trader.commander.pause(ADA, STRATEGY))["changed"] is False
    entries = [orjson.loads(link.text) for link in bench.control.audit_links()]
    assert [(e["who"], e["after"]) for e in entries if e["what"] == f"strategy/{STRATEGY}"] == [
        ("ada", {"paused": True})
    ]
    arguments = [orjson.loads(str(row.columns["arguments"])) for row in bench.rows("commands")]
    assert arguments[0] == {"reason": "odd fills", "strategy": STRATEGY}


async def test_an_unknown_strategy_can_neither_rest_nor_resume(bench: Bench) -> None:
    trader = await bench.trader()
    for command in (trader.commander.pause, trader.commander.resume_strategy):
        with pytest.raises(UnknownName, match=f"strategy = 'nope'.*{STRATEGY}"):
            await command(ADA, "nope")


async def test_a_strategy_that_left_the_settings_can_still_be_resumed(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.pause(ADA, STRATEGY)
    bench.configure(strategies=())
    successor = await bench.trader()
    await successor.commander.status()
    assert (await successor.commander.resume_strategy(ADA, STRATEGY))["changed"] is True


async def test_a_cancel_ends_one_order_and_tells_how_it_stands(bench: Bench) -> None:
    trader = await bench.trader()
    sent = await trader.commander.order(ADA, wish(price="49900"))
    assert (sent["state"], sent["sent"], bench.venue.cancels) == ("ACCEPTED", True, [])
    outcome = await trader.commander.cancel(ADA, str(sent["order_id"]))
    assert (outcome["cancels_asked"], outcome["order_state"]) == (1, "CANCELED")
    with pytest.raises(OrderIsOver, match="CANCELED already"):
        await trader.commander.cancel(ADA, str(sent["order_id"]))


async def test_cancel_all_ends_every_open_order(bench: Bench) -> None:
    trader = await bench.trader()
    sent = await trader.commander.order(ADA, wish(price="49900"))
    outcome = await trader.commander.cancel_all(ADA)
    assert (outcome["cancels_asked"], outcome["orders_left"]) == (1, [])
    assert bench.venue.cancels == [sent["order_id"]]


async def test_a_cancel_of_what_nobody_knows_or_of_one_who_does_not_lead_is_refused(bench: Bench) -> None:
    trader = await bench.trader()
    with pytest.raises(UnknownName, match="order = 'ares1'"):
        await trader.commander.cancel(ADA, "ares1")
    standby = bench.build()
    for command in (standby.commander.cancel_all(ADA), standby.commander.cancel(ADA, "ares1")):
        with pytest.raises(NotLeading):
            await command
    assert bench.rows("commands")[-1].symbols["status"] == "failed"


async def test_a_preview_tells_cost_fee_and_every_rule_and_sends_nothing(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market()
    told = await trader.commander.preview(wish("0.2"))
    assert told["would_send"] is False
    assert (D(str(told["cost_quote"])), D(str(told["fee_quote"]))) == (10_000, 10)
    rules = told["rules"]
    assert isinstance(rules, list)
    assert {str(r["rule"]) for r in rules if isinstance(r, dict)} >= {"StaleQuote", "HeldQuantity", "BuyingPower"}
    refused = [(r["rule"], r["limit"]) for r in rules if isinstance(r, dict) and r["verdict"] == "refused"]
    assert {("OrderNotionalLimit", "5000"), ("PositionLimit", "10000")} <= set(refused)
    assert (await trader.commander.preview(wish("0.01")))["would_send"] is True
    assert not bench.venue.submissions
    assert not bench.rows("order_events")


async def test_a_preview_says_which_order_is_in_its_way(bench: Bench) -> None:
    trader = await bench.trader()
    sent = await trader.commander.order(ADA, wish(price="49900"))
    told = await trader.commander.preview(wish())
    assert (told["order_under_way"], told["would_send"]) == (sent["order_id"], False)


async def test_an_order_by_hand_is_journalled_filled_and_booked_as_of_manual(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market()
    outcome = await trader.commander.order(ADA, wish())
    assert (outcome["state"], outcome["filled"], outcome["sent"]) == ("FILLED", "0.01", True)
    assert is_ours(str(outcome["order_id"]))
    assert trader.ledger.portfolio.position(BTC, MANUAL).quantity > 0
    (decision,) = bench.rows("decisions")
    assert (decision.symbols["strategy"], decision.symbols["action"], decision.columns["reason"]) == (
        MANUAL,
        "buy",
        "manual",
    )
    assert decision.columns["client_order_id"] == outcome["order_id"]
    entries = [orjson.loads(link.text) for link in bench.control.audit_links()]
    (entry,) = [e for e in entries if e["what"] == "command/order"]
    assert (entry["who"], entry["why"], entry["after"]["quantity"]) == ("ada", "odd fills", "0.01")


async def test_the_same_id_is_the_same_order_across_a_restart(bench: Bench) -> None:
    trader = await bench.trader()
    first = await trader.commander.order(ADA, wish())
    successor = await bench.trader()
    again = await successor.commander.order(ADA, wish())
    assert (again["order_id"], again["repeated"], again["state"]) == (first["order_id"], True, "FILLED")
    assert bench.venue.submissions == {first["order_id"]: 1}
    with pytest.raises(UsageError, match=r"id = 'hedge-1': names another order already \(buy 0.01"):
        await successor.commander.order(ADA, wish("0.02"))


async def test_two_that_ask_for_the_same_id_at_once_send_it_once(bench: Bench) -> None:
    trader = await bench.trader()
    outcomes = await asyncio.gather(*(trader.commander.order(ADA, wish(price="49900")) for _ in range(2)))
    assert {o["order_id"] for o in outcomes} == {manual_order_id("paper", "hedge-1")}
    assert list(bench.venue.submissions.values()) == [1]


async def test_a_second_order_waits_for_the_first_of_its_strategy(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.order(ADA, wish(price="49900"))
    outcome = await trader.commander.order(ADA, wish("0.02", id="hedge-2"))
    assert (outcome["action"], outcome["reason"], outcome["sent"]) == ("skip", "order_open", False)
    assert bench.rows("decisions")[-1].columns["reason"] == "order_open"


async def test_a_refusal_is_a_row_and_its_id_may_be_tried_again(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.halt(ADA)
    refused = await trader.commander.order(ADA, wish())
    assert (refused["action"], refused["rule"], refused["limit"]) == ("refuse", "TradingStateRule", "0")
    row = bench.rows("decisions")[-1]
    assert (row.symbols["action"], row.symbols["rule"], row.symbols["state"]) == (
        "refuse",
        "TradingStateRule",
        "HALTED",
    )
    await trader.commander.resume(ADA)
    assert (await trader.commander.order(ADA, wish()))["state"] == "FILLED"


async def test_an_order_that_the_venue_rejects_is_not_said_to_be_sent(bench: Bench) -> None:
    trader = await bench.trader()
    bench.venue.faults.append("reject")
    outcome = await trader.commander.order(ADA, wish())
    assert (outcome["state"], outcome["sent"]) == ("REJECTED", False)


async def test_manual_and_strategy_orders_share_one_limit(bench: Bench) -> None:
    """While the strategy's own buy stands, a buy by hand is checked against what is left."""
    risk = bench.config.risk.model_copy(update={"position_quote_max": D(4_500)})
    bench.configure(risk=risk)
    trader = await bench.trader()
    bench.market(target=1.0)
    cycle, order = trader.cycle.run(), trader.commander.order(ADA, wish("0.02", price="50000"))
    (decision,), outcome = await asyncio.gather(cycle, order)
    assert sorted([decision.action, str(outcome["action"])]) == ["buy", "refuse"]


async def test_a_sell_by_hand_for_a_strategy_takes_from_its_position(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    nothing = await trader.commander.order(ADA, wish("0.02", side="sell", id="a"))
    assert (nothing["action"], nothing["rule"]) == ("refuse", "HeldQuantity")
    sold = await trader.commander.order(ADA, wish("0.02", side="sell", strategy=STRATEGY, id="b"))
    assert sold["state"] == "FILLED"
    assert trader.ledger.portfolio.position(BTC, STRATEGY).quantity == D("0.03")


async def test_while_the_database_is_away_the_venue_tells_the_price_of_a_way_out_and_nothing_is_bought(
    bench: Bench,
) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    bench.reader.error = StoreUnavailable("QuestDB is away")
    refused = await trader.commander.order(ADA, wish())
    assert (refused["sent"], refused["reason"], refused["observed"]) == (False, "no data for SpreadLimit", None)
    sold = await trader.commander.order(ADA, wish(side="sell", strategy=STRATEGY))
    assert sold["state"] == "FILLED"


async def test_without_any_price_an_order_is_not_judged(bench: Bench) -> None:
    trader = await bench.trader()
    await bench.pass_time(trader, 5)
    bench.reader.market = MarketSeen()
    bench.venue.away = True
    with pytest.raises(VenueUnavailable):
        await trader.commander.order(ADA, wish())
    assert bench.rows("commands")[-1].symbols["status"] == "failed"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"quantity": "0.000001"},
            "quantity = 0.000001: not a multiple of BTC/USDT's amount step 0.00001. Try 0.00001",
        ),
        ({"price": "50000.001"}, "price = 50000.001: not a multiple of BTC/USDT's price tick 0.01. Try 50000.00"),
        (
            {"quantity": "0.00002"},
            "quantity = 0.00002: worth 1.0000000 in quote, less than the venue's least order of 5",
        ),
        ({"symbol": "NO/SUCH"}, "symbol = 'NO/SUCH': no such symbol. Known: BTC/USDT"),
        ({"strategy": "nope"}, "strategy = 'nope': no such strategy. Known: manual, signal_momentum"),
    ],
)
async def test_what_the_venue_would_not_look_at_is_the_users_error(
    bench: Bench, changes: dict[str, str], words: str
) -> None:
    trader = await bench.trader()
    with pytest.raises(UsageError) as raised:
        await trader.commander.preview(wish(**changes))
    assert words in str(raised.value)


async def test_more_than_the_venue_takes_in_one_order_is_the_users_error(bench: Bench) -> None:
    bench.venue.steps[BTC] = replace(GRID, amount_max=Decimal("0.01"))
    trader = await bench.trader()
    with pytest.raises(UsageError, match=r"quantity = 0\.02: the venue takes at most 0\.01 of BTC/USDT in one order"):
        await trader.commander.preview(wish(quantity="0.02"))


async def test_who_does_not_lead_sends_nothing_by_hand(bench: Bench) -> None:
    await bench.trader()
    standby = bench.build()
    with pytest.raises(NotLeading, match="order = now"):
        await standby.commander.order(ADA, wish())


async def test_an_order_that_was_halted_on_its_way_stays_at_home(bench: Bench) -> None:
    trader = await bench.trader()
    real = trader.desk.send

    async def halted_first(order_id: str) -> object:
        await trader.states.change(TradingState.HALTED, "ada", "odd", bench.clock.now_ns())
        return await real(order_id)

    trader.desk.send = halted_first  # type: ignore[method-assign,assignment]
    outcome = await trader.commander.order(ADA, wish())
    assert (outcome["state"], outcome["sent"], outcome["reason"]) == ("CANCELED", False, "halted before it was sent")
    assert not bench.venue.submissions


async def test_an_order_that_maintenance_overtook_on_its_way_opens_nothing(bench: Bench) -> None:
    trader = await bench.trader()
    real = trader.desk.send

    async def somebody_works_first(order_id: str) -> object:
        Maintenance(bench.control, bench.clock).open("ada", "larger disk", 60)
        return await real(order_id)

    trader.desk.send = somebody_works_first  # type: ignore[method-assign,assignment]
    outcome = await trader.commander.order(ADA, wish())
    assert (outcome["state"], outcome["sent"], outcome["reason"]) == ("CANCELED", False, "reducing before it was sent")
    assert not bench.venue.submissions


@pytest.mark.parametrize("given_text", ["abc", "", "-1", "0", "NaN", "Infinity", "1e20", "0.00000000001"])
def test_a_quantity_that_is_none_is_named(given_text: str) -> None:
    with pytest.raises(UsageError, match=f"quantity = {given_text!r}: not a number above 0"):
        wish(given_text)


def test_a_side_that_is_none_is_named() -> None:
    with pytest.raises(UsageError, match="side = 'hold': neither buy nor sell"):
        wish(side="hold")


@given(st.decimals(min_value="0.0000000001", max_value=10**9, places=10))
def test_a_quantity_is_read_as_it_was_written(number: Decimal) -> None:
    assert wish(f"{number:f}").quantity == number


@given(st.binary(max_size=200))
def test_any_bytes_are_a_body_or_a_value_error(body: bytes) -> None:
    try:
        read = Body.read(body)
    except ValueError:
        return
    assert all(isinstance(value, str) for value in read.texts.values())


@given(st.text(max_size=40), st.text(max_size=40))
def test_keys_that_differ_never_share_an_id(one: str, other: str) -> None:
    assert (manual_order_id("paper", one) == manual_order_id("paper", other)) is (one == other)


async def test_an_order_by_hand_keeps_to_the_limits_that_were_set_and_warns_before_them(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=0.0)
    await trader.commander.set_limit(ADA, Scope("order_notional_quote_max"), D(1_000))
    refused = await trader.commander.order(ADA, wish("0.03"))
    assert (refused["sent"], refused["rule"], refused["limit"]) == (False, "OrderNotionalLimit", "1000")
    previewed = await trader.commander.preview(wish("0.019"))
    sent = await trader.commander.order(ADA, wish("0.019"))
    assert sent["sent"] is True
    assert [each["rule"] for each in sent["warnings"]] == ["OrderNotionalLimit"]  # type: ignore[union-attr,call-overload,index]
    assert previewed["warnings"] == sent["warnings"]
    assert "OrderNotionalLimit" in str(bench.rows("decisions")[-1].columns["warnings"])


async def test_orders_by_hand_and_of_a_cycle_that_come_together_share_one_room(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.set_limit(ADA, Scope("gross_exposure_quote_max"), D(6_000))
    bench.market(target=1.0)
    await asyncio.gather(
        trader.cycle.run(),
        *(trader.commander.order(ADA, wish("0.05", id=f"hedge-{number}")) for number in range(4)),
    )
    held = sum(trader.ledger.quantities().values(), D(0))
    assert 0 < held * 50_000 <= 6_000


async def test_while_the_venue_is_worked_on_an_order_by_hand_stays_at_home_and_says_why(bench: Bench) -> None:
    trader = await bench.trader()
    bench.venue.closed[BTC] = "venue_maintenance"
    await bench.venue.look_around([BTC])
    outcome = await trader.commander.order(ADA, wish())
    assert (outcome["sent"], outcome["reason"]) == (False, "venue_maintenance")
    assert not bench.venue.submissions
