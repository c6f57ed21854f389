"""Goal: pairs, changes and stops are asked for and answered in the venue's words; restarts know what trailing saw."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from ares.testing.clock import SteppedClock
from simulator.account_api import AccountApi
from simulator.change_api import ChangeApi
from simulator.desk import Desk
from simulator.journal import Journal
from simulator.late_fills import LateFills
from simulator.market import Market
from simulator.matching.types import Refusal
from simulator.misbehaviour import Armed, Misbehaviour
from simulator.params import Params

Json = dict[str, object]
BALANCES = {"USDT": Decimal(20_000), "BTC": Decimal(1)}
PAIR = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.001",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "90000",
    "belowType": "STOP_LOSS",
    "belowStopPrice": "20000",
}
LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.001",
    "price": "50000",
}


@pytest.fixture
def desk(market: Market, tmp_path: Path) -> Iterator[Desk]:
    open_desk = Desk(market, Journal(tmp_path / "journal.jsonl"), BALANCES)
    yield open_desk
    open_desk.close()


@pytest.fixture
def account(desk: Desk, market: Market) -> AccountApi:
    return AccountApi(desk, market.clock.now_ms)


@pytest.fixture
def change(desk: Desk, market: Market) -> ChangeApi:
    return ChangeApi(desk, market.clock.now_ms)


def asked(values: Json, **more: object) -> Params:
    return Params({name: str(value) for name, value in {**values, **more}.items() if value is not None})


def body(answer: object) -> Json:
    return cast("Json", answer)


def half(refusal: Refusal, name: str) -> Json:
    assert refusal.data is not None
    return body(refusal.data[name])


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"belowStopPrice": None}, "-1102.*belowStopPrice"),
        ({"abovePrice": None}, "-1102.*abovePrice"),
        ({"belowPrice": "20000"}, "-1106.*belowPrice"),
        ({"aboveStopPrice": "90000"}, "-1106.*aboveStopPrice"),
        ({"aboveTimeInForce": "GTC"}, "-1106.*aboveTimeInForce"),
        ({"belowType": "STOP_LOSS_LIMIT", "belowPrice": "1"}, "-1102.*belowTimeInForce"),
        ({"quantity": None}, "-1102.*quantity"),
        ({"listClientOrderId": "no spaces"}, "-1100.*listClientOrderId"),
        ({"belowTrailingDelta": "x"}, "-1100.*belowTrailingDelta"),
        ({"aboveType": "LIMIT", "aboveTimeInForce": "GTC"}, "-1158"),
    ],
)
def test_pair_in_the_wrong_words_is_refused_by_the_name_of_the_word(
    values: Json, code: str, change: ChangeApi, desk: Desk
) -> None:
    with pytest.raises(Refusal, match=code):
        change.place_oco(asked(PAIR, **values))
    assert desk.ledger.orders == {}


def test_pair_may_be_asked_for_with_a_trailing_delta_alone(change: ChangeApi) -> None:
    placed = body(change.place_oco(asked(PAIR, belowStopPrice=None, belowTrailingDelta=100)))
    loss = cast("list[Json]", placed["orderReports"])[0]
    assert (loss["trailingDelta"], loss["isWorking"], loss["workingTime"]) == (100, False, -1)
    assert cast("int", loss["trailingTime"]) > 0


def test_all_orders_of_a_symbol_are_cancelled_with_their_lists(account: AccountApi, change: ChangeApi) -> None:
    change.place_oco(asked(PAIR))
    account.place(asked(LIMIT))
    pair, single = cast("list[Json]", account.cancel_all(asked({"symbol": "BTCUSDT"})))
    assert len(cast("list[Json]", pair["orderReports"])) == 2
    assert (pair["listOrderStatus"], single["status"]) == ("ALL_DONE", "CANCELED")


def test_lists_page_by_id_or_time_but_not_by_both(change: ChangeApi) -> None:
    for number in range(3):
        change.place_oco(asked(PAIR, listClientOrderId=f"p{number}"))
    later = cast("list[Json]", change.all_lists(asked({"fromId": 2})))
    assert [row["listClientOrderId"] for row in later] == ["p1", "p2"]
    assert change.all_lists(asked({"endTime": 1})) == []
    with pytest.raises(Refusal, match="-1128"):
        change.all_lists(asked({"fromId": 2, "endTime": 1}))


@pytest.mark.parametrize(("values", "code"), [({}, "-1102"), ({"orderListId": 1, "listClientOrderId": "x"}, "-2011")])
def test_list_that_is_not_meant_is_not_cancelled(values: Json, code: str, change: ChangeApi) -> None:
    change.place_oco(asked(PAIR))
    with pytest.raises(Refusal, match=code):
        change.cancel_list(asked({"symbol": "BTCUSDT"}, **values))
    assert len(cast("list[Json]", change.open_lists(asked({})))) == 1


def test_restricted_cancel_looks_at_the_state_of_the_order(account: AccountApi) -> None:
    account.place(asked(LIMIT, newClientOrderId="one"))
    which = {"symbol": "BTCUSDT", "origClientOrderId": "one"}
    with pytest.raises(Refusal, match="-2011: Order was not canceled due to cancel restrictions"):
        account.cancel(asked(which, cancelRestrictions="ONLY_PARTIALLY_FILLED"))
    with pytest.raises(Refusal, match="-1145: Invalid cancelRestrictions"):
        account.cancel(asked(which, cancelRestrictions="SOME"))
    assert body(account.cancel(asked(which, cancelRestrictions="ONLY_NEW")))["status"] == "CANCELED"


def test_replace_of_an_order_that_is_not_there_stops_or_goes_on_as_its_mode_says(change: ChangeApi, desk: Desk) -> None:
    new = {**LIMIT, "cancelOrderId": 99}
    with pytest.raises(Refusal, match=r"-2022: Order cancel-replace failed.") as stopped:
        change.cancel_replace(asked(new, cancelReplaceMode="STOP_ON_FAILURE"))
    assert (stopped.value.http_status, half(stopped.value, "cancelResponse")) == (
        400,
        {"code": -2011, "msg": "Unknown order sent."},
    )
    assert stopped.value.data is not None
    assert (stopped.value.data["newOrderResult"], stopped.value.data["newOrderResponse"]) == ("NOT_ATTEMPTED", None)
    assert desk.ledger.orders == {}
    with pytest.raises(Refusal, match=r"-2021: Order cancel-replace partially failed.") as went_on:
        change.cancel_replace(asked(new, cancelReplaceMode="ALLOW_FAILURE"))
    assert (went_on.value.http_status, half(went_on.value, "newOrderResponse")["orderId"]) == (409, 1)


def test_replace_may_fail_in_its_second_half_or_in_both(account: AccountApi, change: ChangeApi, desk: Desk) -> None:
    account.place(asked(LIMIT))
    rich = {**LIMIT, "quantity": "5", "cancelOrderId": 1}
    with pytest.raises(Refusal, match="-2021") as partly:
        change.cancel_replace(asked(rich, cancelReplaceMode="STOP_ON_FAILURE"))
    assert half(partly.value, "cancelResponse")["status"] == "CANCELED"
    assert half(partly.value, "newOrderResponse")["code"] == -2010
    with pytest.raises(Refusal, match="-2022") as both:
        change.cancel_replace(asked(rich, cancelReplaceMode="ALLOW_FAILURE"))
    assert both.value.http_status == 400
    assert [order.status for order in desk.ledger.orders.values()] == ["CANCELED"]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"price": "50000.001"}, "-1013: Filter failure: PRICE_FILTER"),
        ({"cancelReplaceMode": "PERHAPS"}, "-1130"),
        ({"cancelReplaceMode": None}, "-1102"),
        ({"cancelOrderId": None}, "-1102.*cancelOrigClientOrderId"),
        ({"cancelNewClientOrderId": "no spaces"}, "-1100.*cancelNewClientOrderId"),
    ],
)
def test_replace_in_the_wrong_words_cancels_nothing(
    values: Json, code: str, account: AccountApi, change: ChangeApi, desk: Desk
) -> None:
    account.place(asked(LIMIT))
    with pytest.raises(Refusal, match=code):
        change.cancel_replace(asked(LIMIT, **{"cancelOrderId": 1, "cancelReplaceMode": "ALLOW_FAILURE", **values}))
    assert [order.status for order in desk.ledger.orders.values()] == ["NEW"]


def test_amendment_needs_its_quantity_and_an_order(account: AccountApi, change: ChangeApi) -> None:
    account.place(asked(LIMIT))
    with pytest.raises(Refusal, match=r"-1102.*newQty"):
        change.amend(asked({"symbol": "BTCUSDT", "orderId": 1}))
    with pytest.raises(Refusal, match=r"-2038: Unknown order sent."):
        change.amend(asked({"symbol": "BTCUSDT", "orderId": 9, "newQty": "0.0005"}))


def test_amended_leg_is_told_with_its_list(change: ChangeApi, desk: Desk) -> None:
    told: list[str] = []
    change.place_oco(asked(PAIR, belowClientOrderId="loss", quantity="0.002"))
    change._desk.listen_to_lists(lambda _list, status: told.append(status))
    which = {"symbol": "BTCUSDT", "origClientOrderId": "loss", "newQty": "0.001"}
    amended = body(change.amend(asked(which, newClientOrderId="loss")))
    assert (body(amended["listStatus"])["listOrderStatus"], told) == ("EXECUTING", [])
    change.amend(asked({**which, "newQty": "0.0005"}))
    assert told == ["UPDATED"]


async def test_trailing_stop_remembers_through_a_restart_what_the_market_did(
    market: Market, tmp_path: Path, clock: SteppedClock
) -> None:
    first = Desk(market, Journal(tmp_path / "j"), BALANCES)
    trailing = {"symbol": "BTCUSDT", "type": "STOP_LOSS", "quantity": "0.001", "trailingDelta": 2_000}
    for side in ("SELL", "BUY"):
        AccountApi(first, market.clock.now_ms).place(asked(trailing, side=side))
    first.close()
    start_ms = market.clock.now_ms()
    await clock.advance(3_600)
    second = Desk(market, Journal(tmp_path / "j"), BALANCES)
    bar = market.span("BTCUSDT", start_ms + 1, market.clock.now_ms())
    assert bar is not None
    stops, started = second.ledger.stops["BTCUSDT"], second.ledger.orders[1].trailing_from
    highest, lowest = max(started, Decimal(bar.high) / 100), min(started, Decimal(bar.low) / 100)
    assert highest > started > lowest
    falls, rises = highest * Decimal("0.8"), lowest * Decimal("1.2")
    assert (stops.due(falls + Decimal("0.01")), stops.due(falls)) == (None, 1)
    assert (stops.due(rises - Decimal("0.01")), stops.due(rises)) == (None, 2)
    second.close()


def test_execution_that_comes_late_is_missing_only_in_history(market: Market, desk: Desk) -> None:
    now = [1_000]
    late = LateFills(Misbehaviour(1, armed=[Armed("late_fill", 1, on="late", wait_ms=500)]), lambda: now[0])
    desk.listen(late.on_event)
    account = AccountApi(desk, market.clock.now_ms, late)
    account.place(asked({**LIMIT, "price": "90000", "quantity": "0.00100"}, newClientOrderId="late"))
    symbol = {"symbol": "BTCUSDT"}
    hidden = cast("list[Json]", account.all_orders(asked(symbol)))[0]
    assert (hidden["status"], hidden["executedQty"], account.my_trades(asked(symbol))) == ("NEW", "0.00000000", [])
    assert body(account.order(asked(symbol, origClientOrderId="late")))["status"] == "FILLED"
    now[0] = 1_500
    assert cast("list[Json]", account.all_orders(asked(symbol)))[0]["status"] == "FILLED"
    assert len(cast("list[Json]", account.my_trades(asked(symbol)))) == 1
