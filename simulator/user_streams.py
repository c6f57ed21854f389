"""The WebSocket API at /ws-api/v3: the private user stream by signature, orders by `order.place` and its kin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

import orjson
from aiohttp import WSMsgType, web

from ares.clock import Clock
from ares.telemetry import get_logger
from simulator.account_api import AccountApi
from simulator.auth import Keys, verify
from simulator.change_api import ChangeApi
from simulator.desk import Desk, ListStatus
from simulator.hub import Connection
from simulator.matching import Event, Order, OrderList, Refusal
from simulator.matching.types import Accepted, Tracked
from simulator.misbehaviour import Kind, Misbehaviour
from simulator.params import Params
from simulator.refusals import refusal_body
from simulator.reports import account_position, execution_report, list_status

SUBSCRIBE = "userDataStream.subscribe.signature"
UNSUBSCRIBE = "userDataStream.unsubscribe"
SUBSCRIPTION_ID = 0

log = get_logger(__name__)

Method = Callable[[Params], object]


def signed_methods(account: AccountApi, change: ChangeApi) -> dict[str, Method]:
    """What the WebSocket API answers to a signature."""
    return {
        "order.place": account.place,
        "order.test": account.test,
        "order.cancel": account.cancel,
        "order.cancelReplace": change.cancel_replace,
        "order.amend.keepPriority": change.amend,
        "order.amendments": change.amendments,
        "order.status": account.order,
        "openOrders.status": account.open_orders,
        "openOrders.cancelAll": account.cancel_all,
        "orderList.place.oco": change.place_oco,
        "orderList.cancel": change.cancel_list,
        "orderList.status": change.order_list,
        "openOrderLists.status": change.open_lists,
        "allOrderLists": change.all_lists,
        "allOrders": account.all_orders,
        "myTrades": account.my_trades,
        "account.status": account.account,
    }


class UserStreams:
    """Clients of the WebSocket API. One subscription per connection tells of every order and balance."""

    def __init__(
        self, desk: Desk, signed: Mapping[str, Method], keys: Keys | None, clock: Clock, misbehaviour: Misbehaviour
    ) -> None:
        self._ledger = desk.ledger
        self._keys = keys
        self._clock = clock
        self._now_ms = desk.now_ms
        self._misbehaviour = misbehaviour
        self._connections: set[Connection] = set()
        self._subscribed: set[Connection] = set()
        self._held: dict[int, dict[str, object]] = {}
        """Reports of acceptance that come after the next one of their order."""
        self._signed = signed
        desk.listen(self._tell)
        desk.listen_to_lists(self._tell_list)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One client until it is gone."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=64 * 1024)
        await socket.prepare(request)
        connection = Connection(socket, request, self._clock, wrapped=False)
        self._connections.add(connection)
        writer = asyncio.create_task(connection.write())
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    connection.send(orjson.dumps(self._answer(connection, cast("str | bytes", message.data))))
        finally:
            self._connections.discard(connection)
            self._subscribed.discard(connection)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    async def close(self) -> None:
        """Tell every client that we go away."""
        await asyncio.gather(*(connection.close() for connection in tuple(self._connections)))

    def _answer(self, connection: Connection, message: str | bytes) -> dict[str, object]:
        request: dict[str, object] = {}
        try:
            loaded = cast("object", orjson.loads(message))
            if not isinstance(loaded, dict):
                raise Refusal(-1100, "Illegal characters found in a parameter.")
            request = cast("dict[str, object]", loaded)
            values = request.get("params") or {}
            if not isinstance(values, dict):
                raise Refusal(-1102, "Mandatory parameter 'params' was not sent, was empty/null, or malformed.")
            result = self._call(connection, str(request.get("method")), cast("dict[str, object]", values))
        except ValueError:
            error: dict[str, object] = {"code": -1135, "msg": "Invalid JSON."}
            return {"id": None, "status": 400, "error": error}
        except Refusal as refusal:
            error = refusal_body(refusal)
            return {"id": request.get("id"), "status": refusal.http_status, "error": error}
        return {"id": request.get("id"), "status": 200, "result": result}

    def _call(self, connection: Connection, method: str, values: Mapping[str, object]) -> object:
        if method == "ping":
            return {}
        if method == "time":
            return {"serverTime": self._now_ms()}
        if method == UNSUBSCRIBE:
            self._subscribed.discard(connection)
            return {}
        if method != SUBSCRIBE and method not in self._signed:
            raise Refusal(-1104, f"Method '{method}' is not known.")
        texts = {name: _plain(value) for name, value in values.items()}
        params = Params(texts)
        signed = "&".join(f"{name}={value}" for name, value in sorted(texts.items()) if name != "signature")
        verify(self._keys, params.maybe("apiKey"), signed, params, self._now_ms())
        if method == SUBSCRIBE:
            self._subscribed.add(connection)
            return {"subscriptionId": SUBSCRIPTION_ID}
        return self._signed[method](params)

    def _tell(self, event: Event, order: Order) -> None:
        if not self._subscribed or isinstance(event, Tracked):
            return
        now_ms = self._now_ms()
        report = execution_report(event, order, self._ledger.executions, now_ms)
        held = self._held.pop(order.order_id, None)
        if isinstance(event, Accepted) and self._hit("report_swapped", order):
            self._held[order.order_id] = report
        else:
            self._send(report)
            if self._hit("report_twice", order):
                self._send(report)
        if held is not None:
            self._send(held)
        self._send(account_position(self._ledger, order, now_ms))

    def _tell_list(self, its_list: OrderList, status: ListStatus) -> None:
        ts_ms = max(leg.updated_ms for leg in its_list.legs)
        self._send(list_status(its_list, status, ts_ms, self._now_ms()))

    def _hit(self, kind: Kind, order: Order) -> bool:
        if self._misbehaviour.quiet:
            return False
        a = order.accepted
        name = f"executionReport {a.client_id}"
        return self._misbehaviour.hit(kind, a.symbol, name, self._ledger.executions) is not None

    def _send(self, event: Mapping[str, object]) -> None:
        frame = orjson.dumps({"subscriptionId": SUBSCRIPTION_ID, "event": event})
        for connection in tuple(self._subscribed):
            connection.send(frame)


def _plain(value: object) -> str:
    """A JSON value as it stands in the signed text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
