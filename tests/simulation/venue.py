"""The simulated exchange's own matching and words, in process, behind a line that loses, delays and garbles."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeVar

import ccxt

from simulator.account_api import AccountApi
from simulator.auth import check_time
from simulator.change_api import ChangeApi
from simulator.matching import Engine, Ledger, NewOrder, NewPair, Order, OrderList
from simulator.matching.queue import PublicTrade
from simulator.matching.types import DisplayedBook, Event, Levels, Refusal, Rules
from simulator.params import Params
from tests.simulation.loop import MachineClock, outside
from trader.venues.ccxt_gateway import AMEND

T = TypeVar("T")
Raw = Mapping[str, object]
Fate = Literal["well", "lost", "late", "held", "unheard", "garbled", "reset", "429", "418", "502"]
"""`lost`: never arrives. `late`: arrives seconds after it was signed. `held`: is signed late (a rate
limit), then late. `unheard`: done, and the answer is lost. `garbled`:
done, and answered by a gateway's error. `reset`: the line breaks before it is sent. The others: refused, not done.
"""
FATES: tuple[Fate, ...] = ("lost", "late", "held", "unheard", "garbled", "reset", "429", "418", "502")
STATUS = {"429": 429, "418": 418, "502": 502, "garbled": 502}
TOO_MANY = {"code": -1003, "msg": "Too many requests."}
LATE_S_MAX = 7.0
"""Longer than recvWindow: what arrives after it is refused."""
HELD_S_MAX = 2.2
"""Beyond what the guard waits: some are given up before they leave."""
HIDDEN_S_MAX = 1.5
"""How long the venue may not show an order that it took."""
TIMEOUT_S = 1.0
TICK, STEP = Decimal("0.01"), Decimal("0.00001")
MARKETS = {"BTC/USDT": "BTCUSDT", "ETH/USDT": "ETHUSDT"}
WORDS = ccxt.binance()
"""Knows which of its errors an answer means; it sends nothing."""


class Exchange:
    """One account on drawn books. Everything here happens at the venue: no trader's death interrupts it."""

    def __init__(self, rng: random.Random, clock: MachineClock, opening: Mapping[str, Decimal]) -> None:
        self._rng = rng
        self._clock = clock
        fee = Decimal("0.001")
        rules = [Rules(v, *symbol.split("/"), TICK, STEP, fee, fee) for symbol, v in MARKETS.items()]
        self.opening = dict(opening)
        self.ledger = Ledger(rules, {"ETH": Decimal(0), **opening})
        self.engine = Engine(self.ledger)
        self.api = AccountApi(self, self.now_ms)
        self.changes = ChangeApi(self, self.now_ms)
        self.last: dict[str, Decimal] = {}
        self.submissions: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.middles = {symbol: Decimal(50_000) for symbol in MARKETS.values()}
        self.amendments = 0
        self.hides = False
        self._hidden_until_ms: dict[int, int] = {}

    def now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    def place(self, new: NewOrder) -> Order:
        """Take an order. Raises `Refusal`."""
        self.submissions[new.client_id] += 1
        order = self._apply(self.engine.place(new, self._book(new.symbol), self.now_ms()))
        self.accepted[new.client_id] += 1
        if self.hides and self._rng.random() < 0.5:
            hidden_ms = round(1_000 * self._rng.uniform(0, HIDDEN_S_MAX))
            self._hidden_until_ms[order.order_id] = self.now_ms() + hidden_ms
        return order

    def place_pair(self, pair: NewPair) -> OrderList:
        """Take an OCO pair. Raises `Refusal`."""
        names = [leg.client_id for leg in (pair.above, pair.below)]
        self.submissions.update(names)
        order = self._apply(self.engine.place_pair(pair, self._book(pair.above.symbol), self.now_ms()))
        self.accepted.update(names)
        its_list = self.ledger.list_of(order)
        assert its_list is not None, "a pair is a list"
        return its_list

    def cancel(self, order: Order, cancel_id: str) -> Order:
        """End an open order. Raises `Refusal`."""
        return self._apply(self.engine.cancel(order, cancel_id, self.now_ms()))

    def amend(self, order: Order, amount: Decimal, client_id: str) -> Order:
        """Make an open order smaller. Raises `Refusal`."""
        amended = self._apply(self.engine.amend(order, amount, client_id, self.now_ms()))
        assert amended is not None, "an amendment is of an order"
        self.amendments += 1
        return amended

    def order(self, params: Params) -> object:
        """An order, unless it is not shown yet. Raises `Refusal`."""
        row = self.api.order(params)
        assert isinstance(row, dict)
        if self._is_hidden(row["orderId"]):
            raise Refusal(-2013, "Order does not exist.")
        return row

    def open_orders(self) -> list[Raw]:
        """Those that are shown."""
        rows = self.api.open_orders(Params({}))
        assert isinstance(rows, list)
        return [row for row in rows if not self._is_hidden(row["orderId"])]

    def move(self) -> None:
        """Prices go somewhere, and somebody trades: resting orders may be filled, in part or whole."""
        for symbol, middle in self.middles.items():
            self.middles[symbol] = middle + TICK * self._rng.randint(-2_000, 2_000)
            side = self._rng.choice((-1, 1))
            price = self.middles[symbol] + side * TICK * self._rng.randint(0, 6_000)
            amount = STEP * self._rng.randint(1, 6_000)
            self.trade(PublicTrade(symbol, price, amount, side < 0, self.now_ms()))

    def trade(self, trade: PublicTrade) -> None:
        """Somebody trades: orders that rest are filled, those that wait for the price are triggered."""
        self.last[trade.symbol] = trade.price
        self._apply(self.engine.on_trade(trade))
        while events := self.engine.on_price(trade, self._book(trade.symbol)):
            self._apply(events)

    def _book(self, symbol: str) -> DisplayedBook:
        return DisplayedBook(self._levels(symbol, -1), self._levels(symbol, 1), self.last.get(symbol, Decimal(0)))

    def _levels(self, symbol: str, side: int) -> Levels:
        prices = [self.middles[symbol] + side * TICK * offset for offset in (1, 50, 900)]
        return tuple((price, STEP * self._rng.randint(50, 4_000)) for price in prices)

    def _is_hidden(self, order_id: int) -> bool:
        return self._hidden_until_ms.get(order_id, 0) > self.now_ms()

    def _apply(self, events: Sequence[Event]) -> Order | None:
        order = None
        for event in events:
            order = self.ledger.apply(event)
        if events:
            self.engine.forget_closed()
        return order


@dataclass(slots=True)
class Weather:
    """How the line to the venue is: the share of requests that fare badly, all of them while it is away."""

    rng: random.Random
    share: float = 0.0
    kinds: Sequence[Fate] = FATES
    away: bool = False
    repeats: bool = False
    """Whether executions are told twice each, in any order."""
    next_submits: list[Fate] = field(default_factory=list)
    """What becomes of the next orders sent, whatever the share."""

    def draw(self, *, submits: bool) -> Fate:
        if submits and self.next_submits:
            return self.next_submits.pop(0)
        if self.away:
            return self.rng.choice(("lost", "reset"))
        return self.rng.choice(self.kinds) if self.rng.random() < self.share else "well"


class Line:
    """`CcxtClient` of one trader, whose every request meets the weather. Its words are parsed as ccxt's `info` is."""

    words = WORDS

    def __init__(self, exchange: Exchange, weather: Weather, clock: MachineClock) -> None:
        self.last_response_headers: Mapping[str, str] | None = None
        self.apiKey = self.secret = "key"
        self._exchange = exchange
        self._weather = weather
        self._clock = clock
        self._offset_ms = 0
        self._rng = weather.rng

    async def load_markets(self, reload: bool, /) -> Mapping[str, Raw]:
        await self.load_time_difference()
        return await self._ask(lambda: {symbol: _market(name) for symbol, name in MARKETS.items()})

    async def sapi_get_system_status(self) -> Raw:
        return {"status": 0, "msg": "normal"}

    async def public_get_exchangeinfo(self, params: Raw, /) -> Raw:
        """Without weather, as the status: what is drawn for other requests stays as it was."""
        limits = {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 10_000}
        rows = [{"symbol": name, "status": "TRADING"} for name in MARKETS.values()]
        return {"rateLimits": [limits], "symbols": rows}

    async def load_time_difference(self) -> object:
        venue_ms = await self._ask(self._exchange.now_ms)
        self._offset_ms = self._now_ms() - venue_ms
        return self._offset_ms

    async def create_order(  # noqa: PLR0917 - the signature of ccxt
        self, symbol: str, kind: str, side: str, amount: str, price: str | None, params: Raw, /
    ) -> Raw:
        words = {"symbol": MARKETS[symbol], "type": kind.upper(), "side": side.upper(), "quantity": amount}
        words |= {name: str(value) for name, value in params.items()} | ({} if price is None else {"price": price})
        return {"info": await self._ask(lambda: self._exchange.api.place(Params(words)), signed=True, submits=True)}

    async def private_post_orderlist_oco(self, params: Raw, /) -> Raw:
        words = Params({name: str(value) for name, value in params.items()})
        answer = await self._ask(lambda: self._exchange.changes.place_oco(words), signed=True, submits=True)
        assert isinstance(answer, Mapping)
        return answer

    async def request(self, path: str, api: Sequence[str], method: str, params: Raw, /) -> object:
        """The one call that ccxt has no name for."""
        assert (path, *api, method) == (AMEND, "private", "PUT"), "nothing else is asked for like that"
        words = Params({name: str(value) for name, value in params.items()})
        return await self._ask(lambda: self._exchange.changes.amend(words), signed=True, submits=True)

    async def cancel_order(self, order_id: str | None, symbol: str, params: Raw, /) -> object:
        words = Params({"symbol": MARKETS[symbol], "origClientOrderId": str(params["origClientOrderId"])})
        return await self._ask(lambda: self._exchange.api.cancel(words), signed=True)

    async def fetch_order(self, order_id: str | None, symbol: str, params: Raw, /) -> Raw:
        words = {name: str(value) for name, value in params.items()} | ({"orderId": order_id} if order_id else {})
        words |= {"symbol": MARKETS[symbol]}
        return {"info": await self._ask(lambda: self._exchange.order(Params(words)), signed=True)}

    async def fetch_open_orders(self) -> Sequence[Raw]:
        return [{"info": row} for row in await self._ask(self._exchange.open_orders, signed=True)]

    async def fetch_my_trades(self, symbol: str, since: None, limit: int, params: Raw, /) -> Sequence[Raw]:
        words = {"symbol": MARKETS[symbol], "limit": str(limit)} | {n: str(v) for n, v in params.items()}
        rows = await self._ask(lambda: self._exchange.api.my_trades(Params(words)), signed=True)
        assert isinstance(rows, list)
        if self._weather.repeats:
            rows = self._rng.sample([*rows, *rows], 2 * len(rows))
        if self._weather.share and self._rng.random() < 0.2:
            rows = [*rows, *rows[: self._rng.randint(0, 3)]]  # told twice, and out of order
        return [{"info": row} for row in rows]

    async def fetch_balance(self) -> Raw:
        return {"info": await self._ask(lambda: self._exchange.api.account(Params({})), signed=True)}

    async def sapi_get_account_apirestrictions(self) -> Raw:
        answer = await self._ask(lambda: self._exchange.api.restrictions(Params({})), signed=True)
        assert isinstance(answer, Mapping)
        return answer

    async def fetch_bids_asks(self, symbols: Sequence[str]) -> Mapping[str, Raw]:
        return await self._ask(lambda: {symbol: _top(self._exchange.middles[MARKETS[symbol]]) for symbol in symbols})

    async def close(self) -> None:
        """Nothing to let go."""

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    async def _ask(self, work: Callable[[], T], *, signed: bool = False, submits: bool = False) -> T:
        """Send, and wait for what comes of it: an answer, one of ccxt's errors, or its time-out."""
        loop, fate = asyncio.get_running_loop(), self._weather.draw(submits=submits)
        if fate == "held":
            await self._clock.sleep(self._rng.uniform(0, HELD_S_MAX))
        timestamp_ms = self._now_ms() - self._offset_ms if signed else None
        answer: asyncio.Future[T] = loop.create_future()
        if fate == "reset":
            raise ccxt.NetworkError("connection reset by peer")
        if fate != "lost":
            way_s = self._rng.uniform(0.5, LATE_S_MAX) if fate in ("late", "held") else self._rng.uniform(0.001, 0.12)
            loop.call_later(way_s, self._arrive, work, timestamp_ms, answer, fate, context=outside())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise ccxt.RequestTimeout("no answer") from None

    def _arrive(self, work: Callable[[], T], timestamp_ms: int | None, answer: asyncio.Future[T], fate: Fate) -> None:
        """At the venue."""
        self.last_response_headers = {"Retry-After": "1"} if fate in ("429", "418") else {}
        try:
            if fate in ("429", "418", "502"):
                raise _meant(self.words, STATUS[fate], None if fate == "502" else TOO_MANY)
            if timestamp_ms is not None:
                check_time(Params({"timestamp": str(timestamp_ms)}), self._exchange.now_ms())
            result = work()
            if fate == "garbled":
                raise _meant(self.words, STATUS[fate], None)
        except Refusal as refusal:
            no = _meant(self.words, 400, {"code": refusal.code, "msg": refusal.message})
            self._tell(answer, answer.set_exception, no, fate)
        except ccxt.BaseError as error:
            self._tell(answer, answer.set_exception, error, fate)
        else:
            self._tell(answer, answer.set_result, result, fate)

    def _tell(self, answer: asyncio.Future[T], settle: Callable[[object], None], what: object, fate: Fate) -> None:
        if fate == "unheard":
            return
        slow = self._weather.share > 0 and self._rng.random() < 0.1
        way_s = self._rng.uniform(0.001, 1.5 * TIMEOUT_S if slow else 0.12)
        asyncio.get_running_loop().call_later(way_s, lambda: None if answer.done() else settle(what), context=outside())


def _meant(words: ccxt.Exchange, status: int, body: Mapping[str, object] | None) -> ccxt.BaseError:
    """The error that ccxt makes of such an answer."""
    text = "<html>502 Bad Gateway</html>" if body is None else json.dumps(body)
    about = (status, "", "/api/v3/order", "POST")
    try:
        words.handle_errors(*about, {}, text, body, {}, {})
        words.handle_http_status_code(*about, text)
    except ccxt.BaseError as error:
        return error
    raise AssertionError(f"ccxt takes HTTP {status} {text} for no error")


def _market(name: str) -> Raw:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": str(TICK)},
        {"filterType": "LOT_SIZE", "stepSize": str(STEP)},
        {"filterType": "NOTIONAL", "minNotional": "5"},
    ]
    return {"id": name, "info": {"symbol": name, "filters": filters}}


def _top(middle: Decimal) -> Raw:
    return {"info": {"bidPrice": str(middle - TICK), "askPrice": str(middle + TICK)}}
