"""What only tests and drills may ask, from loopback: misbehave, say what was issued, say what was ordered."""

from __future__ import annotations

from typing import cast

import orjson
from aiohttp import web

from simulator.desk import Desk
from simulator.market import Market
from simulator.matching import Refusal
from simulator.misbehaviour import KINDS, Armed, Misbehaviour, is_kind
from simulator.order_rows import order_row

LOOPBACK = frozenset({"127.0.0.1", "::1"})
COUNT_MAX = 1_000_000
STORM_MS_MAX = 3_600_000


class Control:
    """The `/sim/…` endpoints of every exchange."""

    def __init__(self, desk: Desk, misbehaviour: Misbehaviour) -> None:
        self._desk = desk
        self._misbehaviour = misbehaviour

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/sim/misbehave", self._misbehave),
            web.get("/sim/misbehave", self._misbehaving),
            web.delete("/sim/misbehave", self._behave),
            web.get("/sim/orders", self._orders),
        ]

    async def _misbehave(self, request: web.Request) -> web.Response:
        """{"kind", "count"?, "for_ms"?, "symbol"?, "on"?, "wait_ms"?, "abrupt"?, "rate"?}: a rate stays."""
        only_loopback(request)
        try:
            wish = cast("object", orjson.loads(await request.read()))
            if not isinstance(wish, dict):
                raise TypeError("the body is not a JSON object")
            self._arm(cast("dict[str, object]", wish))
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error), "kinds": KINDS}, status=400)
        return self._state()

    async def _misbehaving(self, request: web.Request) -> web.Response:
        only_loopback(request)
        return self._state()

    async def _behave(self, request: web.Request) -> web.Response:
        only_loopback(request)
        self._misbehaviour.armed.clear()
        self._misbehaviour.rates.clear()
        return self._state()

    async def _orders(self, request: web.Request) -> web.Response:
        """All orders ever accepted, and how often each client id was sent since this process started."""
        only_loopback(request)
        orders = [order_row(order) for order in self._desk.ledger.orders.values()]
        return web.json_response({"orders": orders, "submissions": dict(self._desk.submissions)})

    def _arm(self, wish: dict[str, object]) -> None:
        kind = str(wish.get("kind"))
        if not is_kind(kind):
            raise ValueError(f"kind = {kind!r}: no such kind")
        if "rate" in wish:
            rate = float(str(wish["rate"]))
            if not 0 <= rate <= 1:
                raise ValueError(f"rate = {rate}: not a share")
            self._misbehaviour.rates[kind] = rate
            return
        for_ms = int(str(wish["for_ms"])) if "for_ms" in wish else None
        if for_ms is not None and not 1 <= for_ms <= STORM_MS_MAX:
            raise ValueError(f"for_ms = {for_ms}: not from 1 to {STORM_MS_MAX}")
        count = int(str(wish.get("count", 1 if for_ms is None else COUNT_MAX)))
        if not 1 <= count <= COUNT_MAX:
            raise ValueError(f"count = {count}: not from 1 to {COUNT_MAX}")
        fault = Armed(kind, count, str(wish.get("symbol", "")), str(wish.get("on", "")))
        fault.wait_ms = int(str(wish.get("wait_ms", fault.wait_ms)))
        fault.abrupt = wish.get("abrupt") is True
        fault.until_ms = None if for_ms is None else self._misbehaviour.now_ms() + for_ms
        self._misbehaviour.armed.append(fault)

    def _state(self) -> web.Response:
        state = self._misbehaviour
        waiting = {armed.kind: armed.count for armed in state.armed}
        return web.json_response({"armed": waiting, "rates": state.rates, "done": state.done})


class Issued:
    """What a replayed market has published: a live venue's can be asked of the venue."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/sim/issued", self._issued)]

    async def _issued(self, request: web.Request) -> web.Response:
        """Ids that exist by now, or since `since_ms` (by time of trade); `last` < `first` when there are none."""
        only_loopback(request)
        now_ms = self._market.clock.now_ms()
        try:
            series = self._market.series(request.query.get("symbol", ""))
            since_ms = int(request.query.get("since_ms", series.epoch_ms))
        except (Refusal, ValueError) as error:
            return web.json_response({"error": str(error), "symbols": self._market.symbols}, status=400)
        return web.json_response(
            {
                "symbol": series.symbol,
                "now_ms": now_ms,
                "first": series.first_agg_at(since_ms),
                "last": series.aggs_sent(now_ms),
                "first_trade": series.first_trade_at(since_ms),
                "last_trade": series.trades_sent(now_ms),
            }
        )


def only_loopback(request: web.Request) -> None:
    """Raises what aiohttp answers 403 with unless the caller is on this machine."""
    if request.remote not in LOOPBACK:
        raise web.HTTPForbidden(text="for callers on this machine only")
