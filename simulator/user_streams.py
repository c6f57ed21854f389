"""The WebSocket API at /ws-api/v3: the private user stream by signature, orders by `order.place` and its kin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

import orjson
from aiohttp import WSMsgType, web

from ares.clock import Clock
from ares.telemetry import get_logger
from simulator.account_api import AccountApi, text
from simulator.auth import Keys, verify
from simulator.desk import Desk
from simulator.hub import Connection
from simulator.matching import Event, Ledger, Order, Refusal
from simulator.matching.types import Closed, Filled
from simulator.params import Params

SUBSCRIBE = "userDataStream.subscribe.signature"
UNSUBSCRIBE = "userDataStream.unsubscribe"
SUBSCRIPTION_ID = 0

log = get_logger(__name__)

Method = Callable[[Params], object]


class UserStreams:
    """Clients of the WebSocket API. One subscription per connection tells of every order and balance."""

    def __init__(self, desk: Desk, api: AccountApi, keys: Keys | None, clock: Clock, now_ms: Callable[[], int]) -> None:
        self._ledger = desk.ledger
        self._keys = keys
        self._clock = clock
        self._now_ms = now_ms
        self._connections: set[Connection] = set()
        self._subscribed: set[Connection] = set()
        self._signed: dict[str, Method] = {
            "order.place": api.place,
            "order.test": api.test,
            "order.cancel": api.cancel,
            "order.status": api.order,
            "openOrders.status": api.open_orders,
            "openOrders.cancelAll": api.cancel_all,
            "allOrders": api.all_orders,
            "myTrades": api.my_trades,
            "account.status": api.account,
        }
        desk.listen(self._tell)

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
            error = {"code": refusal.code, "msg": refusal.message}
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
        if not self._subscribed:
            return
        now_ms = self._now_ms()
        for report in (execution_report(event, order, now_ms), account_position(self._ledger, order, now_ms)):
            frame = orjson.dumps({"subscriptionId": SUBSCRIPTION_ID, "event": report})
            for connection in tuple(self._subscribed):
                connection.send(frame)


def execution_report(event: Event, order: Order, now_ms: int) -> dict[str, object]:
    """What happened to an order, in the venue's one-letter words."""
    accepted = order.accepted
    fill = event if isinstance(event, Filled) else None
    cancel_id = event.cancel_id if isinstance(event, Closed) else ""
    return {
        "e": "executionReport",
        "E": now_ms,
        "s": accepted.symbol,
        "c": cancel_id or accepted.client_id,
        "C": accepted.client_id if cancel_id else "",
        "S": accepted.side,
        "o": accepted.type,
        "f": accepted.time_in_force,
        "q": text(accepted.amount),
        "p": text(accepted.price),
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "x": "TRADE" if fill else event.status if isinstance(event, Closed) else "NEW",
        "X": order.status,
        "r": "NONE",
        "i": accepted.order_id,
        "l": text(fill.amount) if fill else "0.00000000",
        "z": text(order.filled),
        "L": text(fill.price) if fill else "0.00000000",
        "n": text(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": event.ts_ms,
        "t": fill.trade_id if fill else -1,
        "w": order.open,
        "m": fill.maker if fill else False,
        "O": accepted.ts_ms,
        "Z": text(order.filled_cost),
        "Y": text(fill.price * fill.amount) if fill else "0.00000000",
        "Q": text(accepted.quote_amount),
        "V": "NONE",
    }


def account_position(ledger: Ledger, order: Order, now_ms: int) -> dict[str, object]:
    """The balances an order touched, as they are now."""
    rules = ledger.rules[order.accepted.symbol]
    balances = [
        {"a": asset, "f": text(ledger.balances[asset].free), "l": text(ledger.balances[asset].locked)}
        for asset in (rules.base, rules.quote)
    ]
    return {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": balances}


def _plain(value: object) -> str:
    """A JSON value as it stands in the signed text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
