"""Goal: the gateway to USD-M futures says what Binance documents and reads what it answers, through the real ccxt."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.config.settings import VenueConfig
from ares.errors import ConfigError, OrderOutcomeUnknown, UnknownSymbol, VenueRejected, VenueUnavailable
from trader.portfolio.orders import OrderState
from trader.portfolio.portfolio import Funding
from trader.venues import usdm_words as words
from trader.venues.ccxt_gateway import CcxtGateway
from trader.venues.create import create_gateway
from trader.venues.gateway import Balance, KeyRights, OrderRequest, PairRequest, VenuePosition
from trader.venues.usdm_gateway import UsdmGateway

PERP = "BTC/USDT:USDT"
D = Decimal
MARKET = {
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "contractType": "PERPETUAL",
    "deliveryDate": 4133404800000,
    "onboardDate": 1598252400000,
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "marginAsset": "USDT",
    "pricePrecision": 2,
    "quantityPrecision": 3,
    "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"],
    "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
    ],
}
ORDER = {
    "clientOrderId": "ares1",
    "cumQty": "0.010",
    "cumQuote": "498.12340",
    "executedQty": "0.010",
    "orderId": 22542179,
    "avgPrice": "49812.34000",
    "origQty": "0.010",
    "price": "0",
    "reduceOnly": False,
    "side": "SELL",
    "positionSide": "BOTH",
    "status": "FILLED",
    "symbol": "BTCUSDT",
    "timeInForce": "GTC",
    "type": "MARKET",
    "origType": "MARKET",
    "updateTime": 1566818724722,
}
TRADE = {
    "buyer": False,
    "commission": "0.18905360",
    "commissionAsset": "USDT",
    "id": 698759,
    "maker": False,
    "orderId": 25851813,
    "price": "47263.40",
    "qty": "0.010",
    "quoteQty": "472.63",
    "realizedPnl": "-0.91539999",
    "side": "SELL",
    "positionSide": "BOTH",
    "symbol": "BTCUSDT",
    "time": 1569514978020,
}
ACCOUNT = {
    "totalWalletBalance": "103.12345678",
    "assets": [
        {
            "asset": "USDT",
            "walletBalance": "103.12345678",
            "unrealizedProfit": "-1.5",
            "marginBalance": "101.62345678",
            "maintMargin": "2.5",
            "initialMargin": "50",
            "availableBalance": "51.62345678",
            "updateTime": 1625474304765,
        },
        {"asset": "BUSD", "walletBalance": "0.00000000", "availableBalance": "51.6", "updateTime": 0},
    ],
    "positions": [],
}
POSITION = {
    "symbol": "BTCUSDT",
    "positionSide": "BOTH",
    "positionAmt": "-0.150",
    "entryPrice": "50123.4",
    "markPrice": "49812.34",
    "unRealizedProfit": "46.659",
    "liquidationPrice": "98123.45",
    "marginAsset": "USDT",
    "updateTime": 1720736417660,
}
Answer = tuple[int, object]
INCOME = {
    "symbol": "BTCUSDT",
    "incomeType": "FUNDING_FEE",
    "income": "-0.37500000",
    "asset": "USDT",
    "info": "FUNDING_FEE",
    "time": 1570608000000,
    "tranId": 9689322392,
    "tradeId": "",
}
NAME = "ares0123456789abcdef0123456789abcdef"
ALGO = {
    "algoId": 2146760,
    "clientAlgoId": NAME,
    "algoType": "CONDITIONAL",
    "orderType": "STOP_MARKET",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "positionSide": "BOTH",
    "timeInForce": "GTC",
    "quantity": "0.010",
    "algoStatus": "NEW",
    "actualOrderId": "",
    "actualPrice": "0.00000",
    "triggerPrice": "49000.00",
    "price": "0.000",
    "workingType": "CONTRACT_PRICE",
    "closePosition": False,
    "priceProtect": False,
    "reduceOnly": True,
    "createTime": 1750485492076,
    "updateTime": 1750514545091,
    "triggerTime": 0,
    "goodTillDate": 0,
}
NO_ORDER: Answer = (400, {"code": -2013, "msg": "Order does not exist."})
UNKNOWN_ORDER: Answer = (400, {"code": -2011, "msg": "Unknown order sent."})


@dataclass
class Documented:
    """Binance's answers as it documents them, in the place of sockets: what ccxt signs is kept, what it parses real."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def attach(self, gateway: CcxtGateway) -> None:
        client = gateway._client

        async def fetch(url: str, method: str, headers: Mapping[str, str], body: str | None) -> object:
            parts = urlsplit(url)
            query = {name: values[0] for name, values in parse_qs(body or parts.query).items()}
            self.asked.append((method, parts.path, query))
            status, answer = self.answers[f"{method} {parts.path}"]
            text = orjson.dumps(answer).decode()
            if status >= 400:
                client.handle_errors(status, "", url, method, {}, text, orjson.loads(text), headers, body)
                client.handle_http_status_code(status, "", url, method, text)
            return orjson.loads(text)

        client.fetch = fetch

    def last(self, what: str) -> dict[str, str]:
        return next(query for method, path, query in reversed(self.asked) if f"{method} {path}" == what)


def config(**changes: object) -> VenueConfig:
    known = {
        "protocol": "binanceusdm",
        "rest_url": "http://127.0.0.1:9",
        "ws_url": "ws://127.0.0.1:9",
        "api_key": "key",
        "api_secret": "secret",
    }
    return VenueConfig.model_validate(known | changes)


@pytest.fixture
def documented() -> Documented:
    return Documented(
        {
            "GET /fapi/v1/exchangeInfo": (200, {"symbols": [MARKET], "serverTime": 1}),
            "GET /fapi/v1/time": (200, {"serverTime": SystemClock().now_ns() // NANOS_PER_MILLI}),
            "GET /fapi/v1/positionSide/dual": (200, {"dualSidePosition": False}),
            "POST /fapi/v1/leverage": (200, {"leverage": 3, "maxNotionalValue": "1000000", "symbol": "BTCUSDT"}),
            "GET /fapi/v1/algoOrder": NO_ORDER,
            "DELETE /fapi/v1/algoOrder": UNKNOWN_ORDER,
            "GET /fapi/v1/openAlgoOrders": (200, []),
            "GET /fapi/v1/allAlgoOrders": (200, []),
        }
    )


@pytest.fixture
async def gateway(documented: Documented) -> UsdmGateway:
    one = UsdmGateway("perps", config(), SystemClock(), leverage=3)
    documented.attach(one)
    await one.connect([PERP])
    return one


async def test_connecting_learns_the_grid_and_sets_leverage_for_each_symbol(
    gateway: UsdmGateway, documented: Documented
) -> None:
    grid = (await gateway.grids([PERP, "NO/SUCH:SUCH"]))[PERP]
    assert (grid.price_tick, grid.amount_step, grid.cost_min) == (D("0.10"), D("0.001"), D(100))
    asked = documented.last("POST /fapi/v1/leverage")
    assert (asked["symbol"], asked["leverage"]) == ("BTCUSDT", "3")
    assert asked["signature"], "ccxt signed it"
    with pytest.raises(UnknownSymbol, match="NO/SUCH"):
        await gateway.connect(["NO/SUCH:SUCH"])


async def test_an_account_in_hedge_mode_is_refused_with_the_way_out(
    gateway: UsdmGateway, documented: Documented
) -> None:
    documented.answers["GET /fapi/v1/positionSide/dual"] = (200, {"dualSidePosition": True})
    with pytest.raises(ConfigError, match="hedge mode") as refused:
        await gateway.connect([PERP])
    assert "one-way" in str(refused.value)


async def test_a_leverage_that_the_venue_does_not_keep_is_a_users_error(
    gateway: UsdmGateway, documented: Documented
) -> None:
    documented.answers["POST /fapi/v1/leverage"] = (200, {"leverage": 2, "symbol": "BTCUSDT"})
    with pytest.raises(ConfigError, match=r"trading\.leverage"):
        await gateway.connect([PERP])
    documented.answers["POST /fapi/v1/leverage"] = (400, {"code": -4028, "msg": "Leverage 126 is not valid"})
    with pytest.raises((VenueRejected, VenueUnavailable)):
        await gateway.connect([PERP])


@pytest.mark.parametrize("reduces", [True, False])
async def test_an_order_says_reduce_only_exactly_where_it_is_meant(
    gateway: UsdmGateway, documented: Documented, reduces: bool
) -> None:
    documented.answers["POST /fapi/v1/order"] = (200, ORDER)
    request = OrderRequest("ares1", PERP, "sell", "limit", "IOC", D("0.010"), D("49800.1"), reduces)
    report = await gateway.submit(request)
    asked = documented.last("POST /fapi/v1/order")
    assert asked.get("reduceOnly") == ("true" if reduces else None)
    assert (asked["side"], asked["quantity"], asked["price"], asked["timeInForce"], asked["newClientOrderId"]) == (
        "SELL",
        "0.01",
        "49800.1",
        "IOC",
        "ares1",
    )
    assert (report.state, report.filled_quantity, report.filled_cost) == (OrderState.FILLED, D("0.010"), D("498.12340"))
    assert report.executions == (), "the answer carries none: they are asked for"


async def test_a_pair_of_orders_is_refused_without_being_asked_for(
    gateway: UsdmGateway, documented: Documented
) -> None:
    leg = OrderRequest("ares1", PERP, "sell", "limit", "GTC", D("0.010"), D("49800.1"))
    asked = len(documented.asked)
    with pytest.raises(VenueRejected, match="perps takes no pair of orders"):
        await gateway.submit_pair(PairRequest("list1", leg, leg))
    assert len(documented.asked) == asked


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (-2019, "Margin is insufficient.", "InsufficientFunds"),
        (-2022, "ReduceOnly Order is rejected.", "InvalidOrder"),
        (-4164, "Order's notional must be no smaller than 100 (unless you choose reduce only).", "InvalidOrder"),
        (-2027, "Exceeded the maximum allowable position at current leverage.", "OperationRejected"),
    ],
)
async def test_a_considered_no_of_futures_is_a_rejection_on_any_address(
    gateway: UsdmGateway, documented: Documented, code: int, text: str, reason: str
) -> None:
    documented.answers["POST /fapi/v1/order"] = (400, {"code": code, "msg": text})
    with pytest.raises(VenueRejected) as refused:
        await gateway.submit(OrderRequest("ares1", PERP, "buy", "market", "IOC", D("0.010"), None))
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (400, -4116, "ClientOrderId is duplicated."),
        (503, -1000, "Unknown error, please check your request or try again later."),
        (400, -1007, "Timeout waiting for response from backend server."),
        (400, -2023, "User in liquidation mode now."),
    ],
)
async def test_every_doubt_about_an_order_of_futures_is_unknown(
    gateway: UsdmGateway, documented: Documented, status: int, code: int, text: str
) -> None:
    documented.answers["POST /fapi/v1/order"] = (status, {"code": code, "msg": text})
    with pytest.raises(OrderOutcomeUnknown):
        await gateway.submit(OrderRequest("ares1", PERP, "buy", "market", "IOC", D("0.010"), None))


async def test_orders_are_found_by_either_id_and_their_absence_is_told(
    gateway: UsdmGateway, documented: Documented
) -> None:
    documented.answers["GET /fapi/v1/order"] = (200, ORDER | {"status": "NEW_ADL", "executedQty": "0", "cumQuote": "0"})
    found = await gateway.find_order(PERP, client_order_id="ares1")
    assert found is not None
    assert found.state is OrderState.ACCEPTED
    assert documented.last("GET /fapi/v1/order")["origClientOrderId"] == "ares1"
    await gateway.find_order(PERP, venue_order_id="7")
    assert documented.last("GET /fapi/v1/order")["orderId"] == "7"
    documented.answers["GET /fapi/v1/order"] = (400, {"code": -2013, "msg": "Order does not exist."})
    assert await gateway.find_order(PERP, client_order_id="ares1") is None
    documented.answers["GET /fapi/v1/openOrders"] = (200, [ORDER | {"status": "NEW"}])
    (standing,) = await gateway.open_orders()
    assert (standing.symbol, standing.side) == (PERP, "sell")
    documented.answers["DELETE /fapi/v1/order"] = (400, {"code": -2011, "msg": "Unknown order sent."})
    with pytest.raises(VenueRejected) as refused:
        await gateway.cancel(PERP, "ares1")
    assert refused.value.reason == "OrderNotFound"


def stop(**changes: object) -> OrderRequest:
    asked = OrderRequest(NAME, PERP, "sell", "stop_loss", "GTC", D("0.010"), None, True, D("49000.0"))
    return replace(asked, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, {"type": "STOP_MARKET", "triggerPrice": "49000"}),
        ({"side": "buy", "type": "take_profit"}, {"type": "TAKE_PROFIT_MARKET", "triggerPrice": "49000"}),
        ({"stop_price": None, "trailing_bips": 150}, {"type": "TRAILING_STOP_MARKET", "callbackRate": "1.5"}),
    ],
)
async def test_an_order_that_waits_for_a_price_goes_to_the_other_door_and_may_only_reduce(
    gateway: UsdmGateway, documented: Documented, changes: dict[str, object], words: dict[str, str]
) -> None:
    documented.answers["POST /fapi/v1/algoOrder"] = (200, ALGO)
    report = await gateway.submit(stop(**changes))
    asked = documented.last("POST /fapi/v1/algoOrder")
    shared = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "quantity": "0.01", "clientAlgoId": NAME}
    shared |= {"reduceOnly": "true", "workingType": "CONTRACT_PRICE", "side": str(changes.get("side", "sell")).upper()}
    assert {name: asked.get(name) for name in shared | words} == shared | words
    assert not {"price", "stopPrice", "newClientOrderId"} & set(asked)
    assert ("triggerPrice" in asked) != ("callbackRate" in asked)
    assert (report.state, report.client_order_id, report.filled_quantity) == (OrderState.ACCEPTED, NAME, 0)
    assert report.venue_order_id == "algo-2146760", "no order of the book bears this id"


async def test_what_would_trigger_at_once_is_rejected_and_a_name_that_is_taken_is_doubt(
    gateway: UsdmGateway, documented: Documented
) -> None:
    immediate = {"code": -2021, "msg": "Order would immediately trigger."}
    documented.answers["POST /fapi/v1/algoOrder"] = (400, immediate)
    with pytest.raises(VenueRejected) as refused:
        await gateway.submit(stop())
    assert refused.value.reason == "OrderImmediatelyFillable"
    taken: list[Answer] = [
        (400, {"code": -4116, "msg": "ClientOrderId is duplicated."}),
        (400, {"code": -20132, "msg": "The client algo id is duplicated"}),
        (200, ALGO | {"algoStatus": "NEVER_HEARD_OF"}),
        (503, {"code": -1000, "msg": "Unknown error, please check your request or try again later."}),
    ]
    for answer in taken:
        documented.answers["POST /fapi/v1/algoOrder"] = answer
        with pytest.raises(OrderOutcomeUnknown):
            await gateway.submit(stop())


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NEW", OrderState.ACCEPTED),
        ("TRIGGERING", OrderState.UNKNOWN),
        ("CANCELED", OrderState.CANCELED),
        ("EXPIRED", OrderState.EXPIRED),
        ("REJECTED", OrderState.EXPIRED),
    ],
)
async def test_one_that_waits_is_found_where_the_book_has_nothing(
    gateway: UsdmGateway, documented: Documented, status: str, state: OrderState
) -> None:
    documented.answers["GET /fapi/v1/order"] = NO_ORDER
    assert await gateway.find_order(PERP, client_order_id=NAME) is None, "absent is what neither door shows"
    documented.answers["GET /fapi/v1/algoOrder"] = (200, ALGO | {"algoStatus": status})
    found = await gateway.find_order(PERP, client_order_id=NAME)
    assert found is not None
    assert (found.state, found.client_order_id) == (state, NAME)
    documented.answers["GET /fapi/v1/algoOrder"] = (500, {"code": -1000, "msg": "Unknown error"})
    with pytest.raises(VenueUnavailable):
        await gateway.find_order(PERP, client_order_id=NAME)


async def test_one_that_was_triggered_is_followed_to_the_order_that_it_became_whatever_that_is_called(
    gateway: UsdmGateway, documented: Documented
) -> None:
    finished = ALGO | {"algoStatus": "FINISHED", "actualOrderId": "22542179"}
    documented.answers["GET /fapi/v1/algoOrder"] = (200, finished)
    documented.answers["GET /fapi/v1/order"] = NO_ORDER
    hidden = await gateway.find_order(PERP, client_order_id=NAME)
    assert hidden is not None
    assert (hidden.state, hidden.filled_quantity) == (OrderState.UNKNOWN, 0), "what it did is not shown yet"
    client = gateway._client
    plain = client.fetch

    async def by_its_own_id(url: str, method: str, headers: object, body: object) -> object:
        asked = parse_qs(urlsplit(url).query)
        if method == "GET" and url.partition("?")[0].endswith("/order") and asked.get("orderId") == ["22542179"]:
            return ORDER | {"clientOrderId": "the-venues-own-name"}
        return await plain(url, method, headers, body)

    client.fetch = by_its_own_id
    found = await gateway.find_order(PERP, client_order_id=NAME)
    assert found is not None
    assert (found.state, found.client_order_id, found.venue_order_id) == (OrderState.FILLED, NAME, "22542179")
    documented.answers["GET /fapi/v1/allAlgoOrders"] = (200, [ALGO | {"actualOrderId": "7"}, finished])
    executed = await gateway.find_order(PERP, venue_order_id="22542179")
    assert executed is not None
    assert executed.client_order_id == NAME, "an execution that nobody expected is ours"


async def test_a_cancel_asks_at_both_doors_and_open_orders_are_those_of_both(
    gateway: UsdmGateway, documented: Documented
) -> None:
    documented.answers["DELETE /fapi/v1/order"] = UNKNOWN_ORDER
    gone = {"algoId": 2146760, "clientAlgoId": NAME, "code": "200", "msg": "success"}
    documented.answers["DELETE /fapi/v1/algoOrder"] = (200, gone)
    await gateway.cancel(PERP, NAME)
    assert documented.last("DELETE /fapi/v1/algoOrder")["clientAlgoId"] == NAME
    documented.answers["DELETE /fapi/v1/order"] = (503, {"code": -1000, "msg": "Unknown error"})
    with pytest.raises(OrderOutcomeUnknown):
        await gateway.cancel(PERP, NAME)
    documented.answers["GET /fapi/v1/openOrders"] = (200, [ORDER | {"status": "NEW"}])
    documented.answers["GET /fapi/v1/openAlgoOrders"] = (200, [ALGO])
    assert [report.client_order_id for report in await gateway.open_orders()] == [NAME, "ares1"]


async def test_executions_are_exact_although_the_venue_cuts_their_cost(
    gateway: UsdmGateway, documented: Documented
) -> None:
    documented.answers["GET /fapi/v1/userTrades"] = (200, [TRADE | {"id": 698760, "buyer": True, "side": "BUY"}, TRADE])
    first, second = await gateway.executions_after(PERP, 698_758)
    assert documented.last("GET /fapi/v1/userTrades")["fromId"] == "698759"
    assert (first.fill_id, first.side, second.side) == ("698759", "sell", "buy")
    assert (first.cost, first.fee, first.fee_currency) == (D("472.634"), D("0.18905360"), "USDT")
    assert first.ts_ns == 1_569_514_978_020_000_000
    await gateway.executions_of(PERP, "25851813")
    assert documented.last("GET /fapi/v1/userTrades")["orderId"] == "25851813"
    assert await gateway.last_fill_id(PERP) == 698_760


async def test_the_newest_execution_is_found_though_the_last_week_shows_none(
    gateway: UsdmGateway, documented: Documented
) -> None:
    """Without `fromId` it tells a week: an old account would else begin at 0 and take its past for strangers'."""
    past = [TRADE | {"id": number} for number in (5, 9, 12)]
    client = gateway._client
    documented.answers["GET /fapi/v1/userTrades"] = (200, [])
    plain = client.fetch

    async def by_id(url: str, method: str, headers: object, body: object) -> object:
        query = parse_qs(urlsplit(url).query)
        if "userTrades" in url and "fromId" in query:
            return [row for row in past if int(str(row["id"])) >= int(query["fromId"][0])][:2]
        return await plain(url, method, headers, body)

    client.fetch = by_id
    assert await gateway.last_fill_id(PERP) == 12
    past.clear()
    assert await gateway.last_fill_id(PERP) == 0


async def test_the_wallet_is_the_balance_and_what_margin_may_be_given_of_is_free(
    gateway: UsdmGateway, documented: Documented
) -> None:
    documented.answers["GET /fapi/v3/account"] = (200, ACCOUNT)
    balances = await gateway.balances()
    assert balances == {"USDT": Balance(D("51.62345678"), D("51.5"))}
    assert balances["USDT"].total == D("103.12345678")


async def test_positions_are_signed_and_flat_ones_left_out(gateway: UsdmGateway, documented: Documented) -> None:
    flat = POSITION | {"symbol": "ETHUSDT", "positionAmt": "0.000", "liquidationPrice": "0"}
    documented.answers["GET /fapi/v3/positionRisk"] = (200, [POSITION, flat])
    assert await gateway.positions() == {PERP: VenuePosition(D("-0.150"), D("50123.4"), D("98123.45"))}
    documented.answers["GET /fapi/v3/positionRisk"] = (200, [POSITION | {"liquidationPrice": "0"}])
    assert (await gateway.positions())[PERP].liquidation_price is None
    documented.answers["GET /fapi/v3/positionRisk"] = (200, [POSITION | {"positionSide": "SHORT"}])
    with pytest.raises(VenueUnavailable, match="hedge mode"):
        await gateway.positions()


async def test_funding_is_asked_for_from_a_moment_on_and_named_by_its_transaction(
    gateway: UsdmGateway, documented: Documented
) -> None:
    later = INCOME | {"time": 1570636800000, "tranId": 9689322393, "income": "0.125"}
    documented.answers["GET /fapi/v1/income"] = (200, [later, INCOME])
    assert await gateway.funding_after(1_570_608_000_000_999_999) == [
        Funding("9689322392", PERP, D("-0.375"), 1_570_608_000_000_000_000),
        Funding("9689322393", PERP, D("0.125"), 1_570_636_800_000_000_000),
    ]
    asked = documented.last("GET /fapi/v1/income")
    assert (asked["incomeType"], asked["startTime"], asked["limit"]) == ("FUNDING_FEE", "1570608000000", "1000")
    documented.answers["GET /fapi/v1/income"] = (200, [INCOME | {"asset": "BNB"}])
    with pytest.raises(VenueUnavailable, match="paid in USDT"):
        await gateway.funding_after(0)


async def test_a_fee_in_a_third_currency_is_valued_by_its_perpetual(
    gateway: UsdmGateway, documented: Documented
) -> None:
    top = {"symbol": "BTCUSDT", "bidPrice": "49999.5", "bidQty": "1", "askPrice": "50000.5", "askQty": "1", "time": 1}
    documented.answers["GET /fapi/v1/ticker/bookTicker"] = (200, top)
    assert await gateway.marks(["BTC/USDT", PERP, "NO/USDT"]) == {"BTC/USDT": D(50_000), PERP: D(50_000)}


async def test_a_key_is_good_for_futures_by_the_venues_own_word(gateway: UsdmGateway, documented: Documented) -> None:
    said = {"enableWithdrawals": False, "enableFutures": True, "enableSpotAndMarginTrading": False}
    documented.answers["GET /sapi/v1/account/apiRestrictions"] = (200, said)
    assert await gateway.rights() == KeyRights(trade=True, withdraw=False)


@pytest.mark.parametrize(
    ("read", "raw", "broken"),
    [
        (words.execution, TRADE, {"commission": "NaN"}),
        (words.execution, TRADE, {"maker": "false"}),
        (words.execution, TRADE, {"side": "LONG"}),
        (words.order, ORDER, {"status": "SOMETHING"}),
        (words.order, ORDER, {"cumQuote": None}),
    ],
)
def test_what_is_not_as_documented_is_refused(read: object, raw: dict[str, object], broken: dict[str, object]) -> None:
    assert callable(read)
    read(raw, PERP)
    with pytest.raises((KeyError, ValueError)):
        read(raw | broken, PERP)
    for name in broken:
        with pytest.raises((KeyError, ValueError)):
            read({each: value for each, value in raw.items() if each != name}, PERP)


def test_the_protocol_of_a_venue_chooses_its_gateway() -> None:
    clock = SystemClock()

    async def built() -> list[type]:
        made = [create_gateway("v", config(protocol=protocol), clock, 1) for protocol in ("binanceusdm", "binance")]
        for each in made:
            await each.close()
        return [type(each) for each in made]

    assert asyncio.run(built()) == [UsdmGateway, CcxtGateway]
    with pytest.raises(ConfigError, match=r"venues\.v\.protocol"):
        create_gateway("v", config(protocol="okx"), clock, 1)
    with pytest.raises(ConfigError, match=r"venues\.v\.api_key"):
        create_gateway("v", config(api_key=None), clock, 1)


def test_no_address_of_an_exchange_is_left_where_another_is_set() -> None:
    gateway = UsdmGateway("perps", config(), SystemClock(), leverage=1)
    assert "binance.com" not in str(gateway._client.urls["api"])
