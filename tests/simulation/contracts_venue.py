"""The simulated exchange's own desk of contracts, on a drawn market in process, behind the same bad line."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal

import ccxt

from simulator.matching import DisplayedBook
from simulator.matching.conditional import Sprung
from simulator.matching.contracts import Contract, ContractOrder, MarginEvent
from simulator.matching.queue import PublicTrade
from simulator.matching.types import Closed, Filled, Refusal
from simulator.params import Params
from simulator.perpetual.account_api import FuturesApi
from simulator.perpetual.algo_api import AlgoApi
from simulator.perpetual.desk import MarginDesk
from simulator.perpetual.market import Funding, Perpetuals
from tests.simulation.loop import MachineClock
from tests.simulation.venue import HIDDEN_S_MAX, Line, Raw, Weather

PERP, SYMBOL = "BTC/USDT:USDT", "BTCUSDT"
TICK, STEP = Decimal("0.1"), Decimal("0.001")
WALLET = Decimal(20_000)
NEVER_PAID = Funding(interval_ms=10**15)
EXACT = ccxt.binanceusdm().exceptions["linear"]["exact"]


class DrawnPerpetuals(Perpetuals):
    """One contract whose price goes where a test says, on a book of drawn depth."""

    def __init__(self, rng: random.Random, clock: MachineClock) -> None:
        self._rng = rng
        self._clock = clock
        self.funding = NEVER_PAID
        self.contracts = {SYMBOL: Contract(SYMBOL, "BTC", "USDT", TICK, STEP, Decimal("0.0002"), Decimal("0.0005"))}
        self.price = Decimal(50_000)
        self.depth_max = 5_000

    def now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    def mark(self, symbol: str, at_ms: int) -> Decimal:
        return self.price

    def displayed(self, symbol: str) -> DisplayedBook:
        levels = [
            tuple((self.price + side * TICK * far, STEP * self._rng.randint(1, self.depth_max)) for far in (1, 40, 900))
            for side in (-1, 1)
        ]
        return DisplayedBook(levels[0], levels[1], self.price)


class MemoryJournal:
    """What happened, kept nowhere: the venue does not die here."""

    def open(self, opening: Mapping[str, Decimal]) -> tuple[Mapping[str, Decimal], list[MarginEvent]]:
        return opening, []

    def append(self, events: Sequence[MarginEvent]) -> None:
        assert events, "a decision has events"


class AllTold:
    """No execution comes late into the history."""

    def told(self, fill: Filled) -> bool:
        return True


class ContractsExchange:
    """One account of contracts. Everything here happens at the venue: no trader's death interrupts it."""

    def __init__(self, rng: random.Random, clock: MachineClock) -> None:
        self._rng = rng
        self.market = DrawnPerpetuals(rng, clock)
        self.desk = MarginDesk(self.market, MemoryJournal(), WALLET)
        self.ledger = self.desk.ledger
        self.api = FuturesApi(self.desk, self.market, AllTold())
        self.algos = AlgoApi(self.desk)
        self.amounts = {Decimal(0)}
        """Every amount that the position ever had."""
        self.hides = False
        """Whether orders, and what a trigger placed, may not be shown for a while."""
        self.renames = False
        """Whether what a trigger places bears a name of the venue's: the documents do not say that it keeps ours."""
        self._hidden_until_ms: dict[str | int, int] = {}
        self.desk.listen(self._note)

    @property
    def middles(self) -> Mapping[str, Decimal]:
        return {SYMBOL: self.market.price}

    @property
    def amount(self) -> Decimal:
        return self.ledger.positions[SYMBOL].amount

    def now_ms(self) -> int:
        return self.market.now_ms()

    def trades_at(self, price: Decimal, amount: Decimal = Decimal(5)) -> None:
        """The market goes to a price and trades there: what rests may be filled, what waits triggered."""
        self.market.price = price
        trade = PublicTrade(SYMBOL, price, amount, True, self.now_ms())
        self.desk._commit(self.desk._engine.on_trade(trade))
        self.desk.look("CONTRACT_PRICE", SYMBOL, price)
        self.desk._liquidate()

    def place_algo(self, params: Params) -> object:
        answer = self.algos.place(params)
        if self.hides and self._rng.random() < 0.5:
            self._hide(params.text("clientAlgoId"))
        return answer

    def order(self, params: Params) -> object:
        """An order of the book, unless it is not shown yet, under the name that the venue gave it. Raises `Refusal`."""
        row = self.api.order(params)
        assert isinstance(row, dict)
        if row["orderId"] not in {algo.order_id for algo in self.ledger.algos.values()}:
            return row
        if self._is_hidden(row["orderId"]) or (self.renames and params.has("origClientOrderId")):
            raise Refusal(-2013, "Order does not exist.")
        return row | ({"clientOrderId": f"venue-{row['orderId']}"} if self.renames else {})

    def algo(self, params: Params) -> object:
        """A conditional order, unless it is not shown yet. Raises `Refusal`."""
        if self._is_hidden(params.text("clientAlgoId")):
            raise Refusal(-2013, "Order does not exist.")
        row = self.algos.order(params)
        assert isinstance(row, dict)
        placed = row["actualOrderId"]
        if placed and self._is_hidden(int(placed)) and self._rng.random() < 0.5:
            return row | {"algoStatus": "TRIGGERING", "actualOrderId": ""}
        return row

    def open_algos(self) -> list[Raw]:
        rows = self.algos.open_orders(Params({}))
        assert isinstance(rows, list)
        return [row for row in rows if not self._is_hidden(str(row["clientAlgoId"]))]

    def _hide(self, name: str | int) -> None:
        self._hidden_until_ms[name] = self.now_ms() + round(1_000 * self._rng.uniform(0, HIDDEN_S_MAX))

    def _is_hidden(self, name: str | int) -> bool:
        return self._hidden_until_ms.get(name, 0) > self.now_ms()

    def _note(self, event: MarginEvent, order: ContractOrder | None) -> None:
        if isinstance(event, Filled | Closed):
            self.amounts.add(self.amount)
        if isinstance(event, Sprung) and event.order_id and self.hides:
            self._hide(event.order_id)


class ContractsLine(Line):
    """`UsdmClient` of one trader; conditional orders are said as ccxt says them."""

    words = ccxt.binanceusdm({"exceptions": {"exact": EXACT}})

    def __init__(self, exchange: ContractsExchange, weather: Weather, clock: MachineClock) -> None:
        super().__init__(exchange, weather, clock)
        self._there = exchange

    async def load_markets(self, reload: bool, /) -> Mapping[str, Raw]:
        await self.load_time_difference()
        return await self._ask(lambda: {PERP: _market()})

    async def fapipublic_get_exchangeinfo(self) -> Raw:
        limits = {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 10_000}
        return {"rateLimits": [limits], "symbols": [{"symbol": SYMBOL, "status": "TRADING"}]}

    async def create_order(  # noqa: PLR0917 - the signature of ccxt
        self, symbol: str, kind: str, side: str, amount: str, price: str | None, params: Raw, /
    ) -> Raw:
        said = {name: str(value) for name, value in params.items()}
        words = {"symbol": SYMBOL, "side": side.upper(), "quantity": amount}
        if "clientAlgoId" in said:
            for ours, theirs, kind_of in (
                ("stopLossPrice", "triggerPrice", "STOP_MARKET"),
                ("takeProfitPrice", "triggerPrice", "TAKE_PROFIT_MARKET"),
                ("trailingPercent", "callbackRate", "TRAILING_STOP_MARKET"),
            ):
                if ours in said:
                    words |= {theirs: said.pop(ours), "type": kind_of}
            asked = Params(words | said | {"algoType": "CONDITIONAL"})
            return {"info": await self._ask(lambda: self._there.place_algo(asked), signed=True, submits=True)}
        words |= {"type": kind.upper(), "newOrderRespType": "RESULT", **({} if price is None else {"price": price})}
        asked = Params(words | said)
        return {"info": await self._ask(lambda: self._there.api.place(asked), signed=True, submits=True)}

    async def cancel_order(self, order_id: str | None, symbol: str, params: Raw, /) -> object:
        words, api = self._about(params, order_id), self._there.algos if "trigger" in params else self._there.api
        return await self._ask(lambda: api.cancel(words), signed=True)

    async def fetch_order(self, order_id: str | None, symbol: str, params: Raw, /) -> Raw:
        words, work = self._about(params, order_id), self._there.algo if "trigger" in params else self._there.order
        return {"info": await self._ask(lambda: work(words), signed=True)}

    async def fetch_open_orders(
        self, symbol: None = None, since: None = None, limit: None = None, params: Raw | None = None, /
    ) -> Sequence[Raw]:
        work = self._there.open_algos if params else lambda: self._there.api.open_orders(Params({}))
        rows = await self._ask(work, signed=True)
        return [{"info": row} for row in rows]

    async def fetch_orders(self, symbol: str, since: None, limit: int, params: Raw, /) -> Sequence[Raw]:
        words = Params({"symbol": SYMBOL, "limit": str(limit)})
        return [{"info": row} for row in await self._ask(lambda: self._there.algos.all_orders(words), signed=True)]

    async def fetch_my_trades(self, symbol: str, since: None, limit: int, params: Raw, /) -> Sequence[Raw]:
        words = Params({"symbol": SYMBOL, "limit": str(limit)} | {n: str(v) for n, v in params.items()})
        return [{"info": row} for row in await self._ask(lambda: self._there.api.user_trades(words), signed=True)]

    async def fetch_balance(self) -> Raw:
        return {"info": await self._ask(lambda: self._there.api.account(Params({})), signed=True)}

    async def fetch_bids_asks(self, symbols: Sequence[str]) -> Mapping[str, Raw]:
        return await self._ask(lambda: {symbol: _top(self._there.market.price) for symbol in symbols})

    async def sapi_get_account_apirestrictions(self) -> Raw:
        return {"enableFutures": True, "enableWithdrawals": False}

    async def fapiprivate_get_positionside_dual(self) -> Raw:
        return await self._ask(lambda: self._there.api.position_mode(Params({})), signed=True)

    async def fapiprivatev3_get_positionrisk(self) -> Sequence[Raw]:
        return await self._ask(lambda: self._there.api.position_risk(Params({})), signed=True)

    async def fapiprivate_get_income(self, params: Raw, /) -> Sequence[Raw]:
        words = Params({name: str(value) for name, value in params.items()})
        return await self._ask(lambda: self._there.api.income(words), signed=True)

    async def fapiprivate_post_leverage(self, params: Raw, /) -> Raw:
        words = Params({name: str(value) for name, value in params.items()})
        return await self._ask(lambda: self._there.api.set_leverage(words), signed=True)

    def _about(self, params: Raw, order_id: str | None) -> Params:
        named = {name: str(value) for name, value in params.items() if name != "trigger"}
        return Params(named | {"symbol": SYMBOL} | ({"orderId": order_id} if order_id else {}))


def _market() -> Raw:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": str(TICK)},
        {"filterType": "LOT_SIZE", "stepSize": str(STEP)},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
    ]
    return {"id": SYMBOL, "info": {"symbol": SYMBOL, "filters": filters}}


def _top(price: Decimal) -> Raw:
    return {"info": {"bidPrice": str(price - TICK), "askPrice": str(price + TICK)}}
