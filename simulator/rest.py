"""The REST door: which path leads to which method, who may pass, what it weighs, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from ares.clock import Clock
from simulator.account_api import AccountApi
from simulator.auth import Keys, check_key, signed_text, verify
from simulator.bars import DAY_MS, MINUTE_MS
from simulator.change_api import ChangeApi
from simulator.matching.types import Refusal
from simulator.misbehaviour import Armed, Kind, Misbehaviour
from simulator.params import Params
from simulator.prices import Prices
from simulator.refusals import refusal_body, too_many, under_maintenance

Method = Callable[[Params], object]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

UNANSWERED_S = 60.0
"""How long an order that "times out" leaves its client waiting before the line drops."""
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>"

STATUS_PATH = "/sapi/v1/system/status"
RIGHTS_PATH = "/sapi/v1/account/apiRestrictions"

TOO_MANY: tuple[tuple[Literal["429", "418"], int, str], ...] = (
    ("429", 429, "Too many requests; please use the websocket for live updates to avoid polling the API."),
    ("418", 418, "Way too much request weight used; IP banned. Please use WebSocket Streams for live updates."),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path of the API."""

    verb: str
    path: str
    method: Method
    weight: int = 1
    signed: bool = False
    keyed: bool = False
    """The key is enough, nothing is signed."""
    orders: int = 0
    """New orders of one request."""


@dataclass(slots=True)
class Count:
    """How many there were since the last whole interval."""

    interval_ms: int
    interval: int = -1
    number: int = 0

    def add(self, more: int, now_ms: int) -> None:
        interval = now_ms // self.interval_ms
        if interval != self.interval:
            self.interval, self.number = interval, 0
        self.number += more


class PublicMethods(Protocol):
    """Market data over REST, each as `Method`."""

    def ping(self, params: Params, /) -> object: ...
    def time(self, params: Params, /) -> object: ...
    def system_status(self, params: Params, /) -> object: ...
    def exchange_info(self, params: Params, /) -> object: ...
    def depth(self, params: Params, /) -> object: ...
    def trades(self, params: Params, /) -> object: ...
    def historical_trades(self, params: Params, /) -> object: ...
    def agg_trades(self, params: Params, /) -> object: ...
    def klines(self, params: Params, /) -> object: ...
    def ticker_price(self, params: Params, /) -> object: ...
    def ticker_book(self, params: Params, /) -> object: ...
    def ticker_day(self, params: Params, /) -> object: ...


def public_endpoints(api: PublicMethods) -> list[Endpoint]:
    """Market data; weights are the venue's."""
    v3 = "/api/v3"
    return [
        Endpoint("GET", f"{v3}/ping", api.ping),
        Endpoint("GET", f"{v3}/time", api.time),
        Endpoint("GET", f"{v3}/exchangeInfo", api.exchange_info, 20),
        Endpoint("GET", f"{v3}/depth", api.depth, 5),
        Endpoint("GET", f"{v3}/trades", api.trades, 25),
        Endpoint("GET", f"{v3}/historicalTrades", api.historical_trades, 25),
        Endpoint("GET", f"{v3}/aggTrades", api.agg_trades, 4),
        Endpoint("GET", f"{v3}/klines", api.klines, 2),
        Endpoint("GET", f"{v3}/uiKlines", api.klines, 2),
        Endpoint("GET", f"{v3}/ticker/price", api.ticker_price, 2),
        Endpoint("GET", f"{v3}/ticker/bookTicker", api.ticker_book, 2),
        Endpoint("GET", f"{v3}/ticker/24hr", api.ticker_day, 2),
        Endpoint("GET", STATUS_PATH, api.system_status),
    ]


def account_endpoints(api: AccountApi) -> list[Endpoint]:
    """Everything signed."""
    v3, sapi = "/api/v3", "/sapi/v1"
    return [
        Endpoint("POST", f"{v3}/order", api.place, 1, signed=True, orders=1),
        Endpoint("POST", f"{v3}/order/test", api.test, 1, signed=True),
        Endpoint("GET", f"{v3}/order", api.order, 4, signed=True),
        Endpoint("DELETE", f"{v3}/order", api.cancel, 1, signed=True),
        Endpoint("GET", f"{v3}/openOrders", api.open_orders, 6, signed=True),
        Endpoint("DELETE", f"{v3}/openOrders", api.cancel_all, 1, signed=True),
        Endpoint("GET", f"{v3}/allOrders", api.all_orders, 20, signed=True),
        Endpoint("GET", f"{v3}/myTrades", api.my_trades, 20, signed=True),
        Endpoint("GET", f"{v3}/account", api.account, 20, signed=True),
        Endpoint("GET", f"{sapi}/asset/tradeFee", api.trade_fee, 1, signed=True),
        Endpoint("GET", RIGHTS_PATH, api.restrictions, 1, signed=True),
    ]


def change_endpoints(api: ChangeApi) -> list[Endpoint]:
    """Order lists and changes of orders; signed."""
    v3 = "/api/v3"
    return [
        Endpoint("POST", f"{v3}/order/cancelReplace", api.cancel_replace, 1, signed=True, orders=1),
        Endpoint("PUT", f"{v3}/order/amend/keepPriority", api.amend, 4, signed=True),
        Endpoint("GET", f"{v3}/order/amendments", api.amendments, 4, signed=True),
        Endpoint("POST", f"{v3}/orderList/oco", api.place_oco, 1, signed=True, orders=2),
        Endpoint("DELETE", f"{v3}/orderList", api.cancel_list, 1, signed=True),
        Endpoint("GET", f"{v3}/orderList", api.order_list, 4, signed=True),
        Endpoint("GET", f"{v3}/allOrderList", api.all_lists, 20, signed=True),
        Endpoint("GET", f"{v3}/openOrderList", api.open_lists, 6, signed=True),
    ]


class Rest:
    """Turns requests into calls and refusals into the venue's error bodies."""

    def __init__(self, market: Prices, keys: Keys | None, misbehaviour: Misbehaviour, clock: Clock) -> None:
        self._market = market
        self._keys = keys
        self._misbehaviour = misbehaviour
        self._clock = clock
        self._requests = 0
        self._minute = 0
        self._used_weight = 0
        self._order_counts = {"10S": Count(10_000), "1D": Count(DAY_MS)}

    def routes(self, endpoints: list[Endpoint]) -> list[web.RouteDef]:
        return [web.route(endpoint.verb, endpoint.path, self._handler(endpoint)) for endpoint in endpoints]

    def _handler(self, endpoint: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            query = request.raw_path.partition("?")[2]
            body = (await request.read()).decode("latin-1")
            params = Params(dict(parse_qsl("&".join(part for part in (query, body) if part), keep_blank_values=True)))
            self._weigh(endpoint.weight)
            response = self._fault(endpoint, params) or await self._answer(endpoint, request, query + body, params)
            if endpoint.verb in ("POST", "PUT") and response.status == 200:
                await self._hold_back(endpoint, request, params)
            if endpoint.orders:
                self._tell_orders(endpoint.orders, response)
            response.headers["X-MBX-USED-WEIGHT"] = response.headers["X-MBX-USED-WEIGHT-1M"] = str(self._used_weight)
            return response

        return handle

    async def _answer(self, endpoint: Endpoint, request: web.Request, raw: str, params: Params) -> web.Response:
        try:
            if endpoint.signed:
                now_ms = self._market.clock.now_ms()
                verify(self._keys, request.headers.get("X-MBX-APIKEY"), signed_text(raw), params, now_ms)
            if endpoint.keyed:
                check_key(self._keys, request.headers.get("X-MBX-APIKEY"))
            result = endpoint.method(params)
            if isinstance(result, Awaitable):
                result = await result
        except Refusal as refusal:
            return _refused(refusal)
        return _json(result, 200)

    async def _hold_back(self, endpoint: Endpoint, request: web.Request, params: Params) -> None:
        """It was done, but the answer comes late or never."""
        late = self._hit("ack_late", endpoint, params)
        if late is not None:
            await self._clock.sleep(late.wait_ms / 1_000)
        if self._hit("accept_timeout", endpoint, params):
            await self._clock.sleep(UNANSWERED_S)
            if request.transport is not None:
                request.transport.close()

    def _weigh(self, weight: int) -> None:
        """Used weight is told, not enforced: nobody is banned for a long backfill on their own machine."""
        minute = self._market.clock.now_ms() // MINUTE_MS
        if minute != self._minute:
            self._minute, self._used_weight = minute, 0
        self._used_weight += weight
        self._requests += 1

    def _tell_orders(self, orders: int, response: web.StreamResponse) -> None:
        """How many orders were taken; told with orders alone, as the venue does."""
        now_ms = self._market.clock.now_ms()
        for name, count in self._order_counts.items():
            count.add(orders if response.status == 200 else 0, now_ms)
            response.headers[f"X-MBX-ORDER-COUNT-{name}"] = str(count.number)

    def _fault(self, endpoint: Endpoint, params: Params) -> web.Response | None:
        """The refusal that stands for a misbehaving venue; nothing was done then."""
        if self._misbehaviour.quiet:
            return None
        if self._hit("5xx", endpoint, params):
            return web.Response(status=502, text=BAD_GATEWAY, content_type="text/html")
        told = self._of_itself(endpoint, params)
        if told is not None:
            return told
        for kind, status, message in TOO_MANY:
            fault = self._hit(kind, endpoint, params)
            if fault is not None:
                wait_s = max(1, fault.wait_ms // 1_000)
                return _refused(too_many(message, status, wait_s))
        return None

    def _of_itself(self, endpoint: Endpoint, params: Params) -> web.Response | None:
        """What a venue under maintenance says, and one that lets our key withdraw."""
        if self._hit("maintenance", endpoint, params):
            if endpoint.path == STATUS_PATH:
                return _json({"status": 1, "msg": "system_maintenance"}, 200)
            return _refused(under_maintenance())
        if endpoint.path == RIGHTS_PATH and self._hit("key_may_withdraw", endpoint, params):
            return _json({"enableReading": True, "enableSpotAndMarginTrading": True, "enableWithdrawals": True}, 200)
        return None

    def _hit(self, kind: Kind, endpoint: Endpoint, params: Params) -> Armed | None:
        if self._misbehaviour.quiet:
            return None
        name = f"{endpoint.verb} {endpoint.path}"
        return self._misbehaviour.hit(kind, params.maybe("symbol") or "", name, self._requests)


def _refused(refusal: Refusal) -> web.Response:
    headers = {"Retry-After": str(refusal.retry_after_s)} if refusal.retry_after_s else None
    return _json(refusal_body(refusal), refusal.http_status, headers)


def _json(body: object, status: int, headers: dict[str, str] | None = None) -> web.Response:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return web.Response(body=content, status=status, headers=headers, content_type="application/json")
