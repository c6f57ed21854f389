"""The private stream of perpetuals: a listen key by REST, then events at /private/ws?listenKey=<key>."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence

import orjson
from aiohttp import web

from ares.clock import Clock
from ares.telemetry import get_logger
from simulator.hub import Connection
from simulator.matching.conditional import Awaited, Conditional, Dropped, Followed, Sprung
from simulator.matching.contracts import Cleared, ContractOrder, Funded, Levered, MarginEvent
from simulator.matching.types import Filled, Refusal
from simulator.misbehaviour import Kind, Misbehaviour
from simulator.params import Params
from simulator.perpetual.algo_rows import algo_status, algo_update
from simulator.perpetual.desk import MarginDesk
from simulator.perpetual.reports import Reason, account_update, config_update, order_update

VALID_MS = 60 * 60_000
"""How long a listen key lives without being asked for again."""
WITHOUT_POSITIONS: tuple[tuple[type[MarginEvent], Reason], ...] = (
    (Funded, "FUNDING_FEE"),
    (Cleared, "INSURANCE_CLEAR"),
)
"""Changes of the wallet that are told without any position."""

log = get_logger(__name__)


class ListenKey:
    """The account's one listen key. Times are market time."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._key = ""
        self._until_ms = 0

    def open(self, _params: Params) -> object:
        """The key, a new one if there is none that lives; valid for an hour from now."""
        if not self.lives(self._key):
            self._key = secrets.token_hex(32)
        self._until_ms = self._now_ms() + VALID_MS
        return {"listenKey": self._key}

    def renew(self, _params: Params) -> object:
        """Another hour. Raises `Refusal` when there is none."""
        if not self.lives(self._key):
            raise Refusal(-1125, "This listenKey does not exist.")
        return self.open(_params)

    def close(self, _params: Params) -> object:
        """Nothing is told to it any more."""
        self._until_ms = 0
        return {}

    def lives(self, key: str) -> bool:
        """Whether this is the key, and its hour is not over."""
        same = bool(key) and secrets.compare_digest(key.encode(), self._key.encode())
        return same and self._now_ms() < self._until_ms


class FuturesUserStreams:
    """Clients of the private stream; each is told of every order and all money."""

    def __init__(self, desk: MarginDesk, key: ListenKey, clock: Clock, misbehaviour: Misbehaviour) -> None:
        self._desk = desk
        self._key = key
        self._clock = clock
        self._misbehaviour = misbehaviour
        self._connections: dict[Connection, str] = {}
        self._held: dict[int, dict[str, object]] = {}
        """Reports of acceptance that come after the next one of their order."""
        self._told = 0
        desk.listen(self._tell)
        desk.listen_to_decisions(self._tell_decision)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One client until it is gone; refused without a key that lives."""
        key = request.query.get("listenKey") or request.match_info.get("key", "")
        if not self._key.lives(key):
            raise web.HTTPBadRequest(text="This listenKey does not exist.")
        socket = web.WebSocketResponse(compress=False, max_msg_size=64 * 1024)
        await socket.prepare(request)
        connection = Connection(socket, request, self._clock, wrapped=False)
        self._connections[connection] = key
        writer = asyncio.create_task(connection.write())
        try:
            async for _ in socket:
                log.debug("user_stream_spoke")
        finally:
            self._connections.pop(connection, None)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    async def close(self) -> None:
        """Tell every client that we go away."""
        await asyncio.gather(*(connection.close() for connection in tuple(self._connections)))

    def _tell(self, event: MarginEvent, order: ContractOrder | None) -> None:
        now_ms, ledger = self._desk.now_ms(), self._desk.ledger
        if order is not None:
            self._tell_order(event, order, now_ms)
        elif isinstance(event, Awaited | Followed | Sprung | Dropped):
            self._tell_algo(ledger.algos[event.algo_id], now_ms)
        elif isinstance(event, Levered):
            self._send(config_update(event.symbol, event.leverage, now_ms))

    def _tell_decision(self, events: Sequence[MarginEvent]) -> None:
        """What it did to the account, after the orders that did it."""
        ledger, now_ms = self._desk.ledger, self._desk.now_ms()
        fills = [event for event in events if isinstance(event, Filled)]
        if fills:
            symbols = {ledger.orders[fill.order_id].accepted.symbol: None for fill in fills}
            self._tell_account("ORDER", list(symbols), (fills[-1].ts_ms, now_ms))
        for kind, reason in WITHOUT_POSITIONS:
            times = [event.ts_ms for event in events if isinstance(event, kind)]
            if times:
                self._tell_account(reason, [], (times[0], now_ms))

    def _tell_order(self, event: MarginEvent, order: ContractOrder, now_ms: int) -> None:
        report = order_update(event, order, now_ms)
        held = self._held.pop(order.order_id, None)
        if order.status == "NEW" and self._hit("report_swapped", order):
            self._held[order.order_id] = report
        else:
            self._send(report)
            if self._hit("report_twice", order):
                self._send(report)
        if held is not None:
            self._send(held)

    def _tell_algo(self, order: Conditional, now_ms: int) -> None:
        """What is placed at market has ended when it is told: it was triggered, and is finished."""
        ledger = self._desk.ledger
        for status in dict.fromkeys((order.status, algo_status(order, ledger))):
            self._send(algo_update(order, ledger, now_ms, status))

    def _tell_account(self, reason: Reason, symbols: Sequence[str], times: tuple[int, int]) -> None:
        ledger = self._desk.ledger
        exposures = self._desk.standing().exposures if symbols else {}
        positions = [(ledger.positions[symbol], exposures[symbol].unrealized) for symbol in symbols]
        self._send(account_update(ledger, reason, positions, times))

    def _hit(self, kind: Kind, order: ContractOrder) -> bool:
        if self._misbehaviour.quiet:
            return False
        self._told += 1
        a = order.accepted
        return self._misbehaviour.hit(kind, a.symbol, f"ORDER_TRADE_UPDATE {a.client_id}", self._told) is not None

    def _send(self, event: Mapping[str, object]) -> None:
        frame = orjson.dumps(event)
        for connection, key in tuple(self._connections.items()):
            if self._key.lives(key):
                connection.send(frame)
