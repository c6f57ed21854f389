"""Market data over REST: the book that orders meet is ours, the past is the venue's own answer."""

from __future__ import annotations

import orjson

from ares.errors import VenueUnavailable
from simulator.matching.types import Refusal
from simulator.order_rows import text
from simulator.paper.market import PaperMarket
from simulator.paper.upstream import Upstream
from simulator.params import Params
from simulator.public_api import DEPTH_LEVELS, DEPTH_LEVELS_MAX, RATE_LIMITS, chosen, one_or_all, symbol_info
from simulator.refusals import too_many, under_maintenance

PASSED_ON = frozenset(
    {"symbol", "symbols", "interval", "startTime", "endTime", "timeZone", "fromId", "limit", "type", "windowSize"}
)
"""Parameters that go to the venue; a key or a signature never does."""
V3 = "/api/v3"


class PaperPublicApi:
    """Everything that needs no key, each method as `simulator.rest.Method`."""

    def __init__(self, market: PaperMarket, upstream: Upstream) -> None:
        self._market = market
        self._upstream = upstream

    def ping(self, _params: Params) -> object:
        return {}

    def time(self, _params: Params) -> object:
        return {"serverTime": self._market.clock.now_ms()}

    def system_status(self, _params: Params) -> object:
        """Under maintenance while no book is known."""
        return {"status": 0, "msg": "normal"} if self._market.open else {"status": 1, "msg": "system_maintenance"}

    def exchange_info(self, params: Params) -> object:
        """The venue's rules; a symbol whose book is not known is in a break."""
        return {
            "timezone": "UTC",
            "serverTime": self._market.clock.now_ms(),
            "rateLimits": RATE_LIMITS,
            "exchangeFilters": [],
            "symbols": [
                symbol_info(self._market.rules[symbol], "TRADING" if self._market.is_open(symbol) else "BREAK")
                for symbol in chosen(params, self._market.rules)
            ],
        }

    def depth(self, params: Params) -> object:
        """Our copy of the venue's book, whose ids the streams go on from."""
        symbol = params.text("symbol")
        book = self._market.known(symbol)
        if not self._market.is_open(symbol):
            raise under_maintenance()
        most = params.limit(DEPTH_LEVELS, DEPTH_LEVELS_MAX)
        bids = sorted(book.bids.items(), reverse=True)[:most]
        asks = sorted(book.asks.items())[:most]
        return {
            "lastUpdateId": book.update_id,
            "bids": [[text(price), text(amount)] for price, amount in bids],
            "asks": [[text(price), text(amount)] for price, amount in asks],
        }

    def ticker_book(self, params: Params) -> object:
        """Best bid and ask as last heard; refused while they are not of now."""
        symbols = chosen(params, self._market.rules)
        if not all(self._market.is_open(symbol) for symbol in symbols):
            raise under_maintenance()
        return one_or_all(params, [self._best(symbol) for symbol in symbols])

    async def trades(self, params: Params) -> object:
        return await self._passed_on(f"{V3}/trades", params)

    async def historical_trades(self, params: Params) -> object:
        return await self._passed_on(f"{V3}/historicalTrades", params)

    async def agg_trades(self, params: Params) -> object:
        return await self._passed_on(f"{V3}/aggTrades", params)

    async def klines(self, params: Params) -> object:
        return await self._passed_on(f"{V3}/klines", params)

    async def ticker_price(self, params: Params) -> object:
        return await self._passed_on(f"{V3}/ticker/price", params)

    async def ticker_day(self, params: Params) -> object:
        return await self._passed_on(f"{V3}/ticker/24hr", params)

    def _best(self, symbol: str) -> dict[str, object]:
        top = self._market.books[symbol].top
        return {
            "symbol": symbol,
            "bidPrice": text(top.bid),
            "bidQty": text(top.bid_amount),
            "askPrice": text(top.ask),
            "askQty": text(top.ask_amount),
        }

    async def _passed_on(self, path: str, params: Params) -> bytes:
        """The venue's answer about our symbols. Raises `Refusal`: the venue's own, or that it does not answer."""
        wanted = params.of(PASSED_ON)
        symbols = chosen(params, self._market.rules)
        if "symbol" not in wanted:
            wanted["symbols"] = orjson.dumps(symbols).decode()
        try:
            answer = await self._upstream.ask(path, wanted)
        except VenueUnavailable as error:
            if error.retry_after_s is None:
                raise under_maintenance() from None
            raise too_many("Too many requests.", 429, max(1, round(error.retry_after_s))) from None
        if answer.status == 200:
            return answer.body
        raise refused(answer.status, answer.body, answer.retry_after_s)


def refused(status: int, body: bytes, retry_after_s: int) -> Refusal:
    """The venue's refusal in its own words; what is not in them is as good as no answer."""
    try:
        said = orjson.loads(body)
        return Refusal(int(said["code"]), str(said["msg"]), status, retry_after_s=retry_after_s)
    except (ValueError, KeyError, TypeError):
        return under_maintenance()
