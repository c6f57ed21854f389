"""Market data over REST, as the venue answers it. Each method takes the parameters and returns JSON or its text."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from simulator import render
from simulator.bars import DAY_MS, HOUR_MS, INTERVALS_MS, Grid, candles
from simulator.book import Replay
from simulator.market import Market
from simulator.matching.types import ORDER_TYPES, Refusal, Rules
from simulator.order_rows import text
from simulator.params import Params
from simulator.recording import to_text
from simulator.series import Series

ROWS = 500
ROWS_MAX = 1_000
DEPTH_LEVELS = 100
DEPTH_LEVELS_MAX = 5_000
RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6_000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
]
"""The venue's own; what is used of them is told in headers, and not enforced."""
LONG_SPAN_MS = 3 * DAY_MS
"""Klines over a longer span are computed beside the event loop, so that streams go on meanwhile."""


class PublicApi:
    """Everything that needs no key. Times are milliseconds; what is later than market time does not exist yet."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def ping(self, _params: Params) -> object:
        return {}

    def time(self, _params: Params) -> object:
        return {"serverTime": self._market.clock.now_ms()}

    def system_status(self, _params: Params) -> object:
        return {"status": 0, "msg": "normal"}

    def exchange_info(self, params: Params) -> object:
        return {
            "timezone": "UTC",
            "serverTime": self._market.clock.now_ms(),
            "rateLimits": RATE_LIMITS,
            "exchangeFilters": [],
            "symbols": [symbol_info(self._market.rules[symbol]) for symbol in chosen(params, self._market.rules)],
        }

    def depth(self, params: Params) -> object:
        replay = self._market.replay(params.text("symbol"))
        most = params.limit(DEPTH_LEVELS, DEPTH_LEVELS_MAX)
        decimals = replay.series.recording.price_decimals
        bids = sorted(replay.bids.items(), reverse=True)[:most]
        asks = sorted(replay.asks.items())[:most]
        return (
            f'{{"lastUpdateId":{replay.update_id},"bids":{render.levels_text(bids, decimals)},'
            f'"asks":{render.levels_text(asks, decimals)}}}'
        ).encode()

    def trades(self, params: Params) -> object:
        series, last = self._latest_trade(params)
        return render.trade_rows(series, last - params.limit(ROWS, ROWS_MAX) + 1, last)

    def historical_trades(self, params: Params) -> object:
        series, last = self._latest_trade(params)
        most = params.limit(ROWS, ROWS_MAX)
        first = params.integer("fromId")
        if first is None:
            first = last - most + 1
        return render.trade_rows(series, first, min(last, first + most - 1))

    def agg_trades(self, params: Params) -> object:
        series = self._market.series(params.text("symbol"))
        most = params.limit(ROWS, ROWS_MAX)
        last = series.aggs_sent(self._market.clock.now_ms())
        from_id, start_ms, end_ms = (params.integer(name) for name in ("fromId", "startTime", "endTime"))
        if from_id is not None and (start_ms is not None or end_ms is not None):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        if start_ms is not None and end_ms is not None and end_ms - start_ms > HOUR_MS:
            raise Refusal(-1127, "More than 1 hours between startTime and endTime.")
        if end_ms is not None:
            last = min(last, series.first_agg_at(end_ms + 1) - 1)
        first = from_id if start_ms is None else series.first_agg_at(start_ms)
        if first is None:
            first = last - most + 1
        return render.agg_rows(series, first, min(last, first + most - 1))

    async def klines(self, params: Params) -> object:
        series = self._market.series(params.text("symbol"))
        interval = params.text("interval")
        if interval not in INTERVALS_MS:
            raise Refusal(-1120, "Invalid interval.")
        grid = Grid.of(interval)
        now_ms = self._market.clock.now_ms()
        start_ms, stop_ms = _span(params, grid, now_ms, series.epoch_ms)
        if stop_ms - start_ms > LONG_SPAN_MS:
            found = await asyncio.to_thread(candles, series, grid, start_ms, stop_ms, now_ms)
        else:
            found = candles(series, grid, start_ms, stop_ms, now_ms)
        return [render.kline_row(series, candle, grid.step_ms) for candle in found]

    def ticker_price(self, params: Params) -> object:
        now_ms = self._market.clock.now_ms()
        return one_or_all(params, [self._price(symbol, now_ms) for symbol in self._chosen(params)])

    def ticker_book(self, params: Params) -> object:
        return one_or_all(params, self._best_rows(params))

    def ticker_day(self, params: Params) -> object:
        now_ms = self._market.clock.now_ms()
        rows = [
            render.day_ticker_row(
                self._market.series(symbol), self._market.day(symbol, now_ms), self._market.replay(symbol).top, now_ms
            )
            for symbol in self._chosen(params)
        ]
        return one_or_all(params, rows)

    def _best_rows(self, params: Params) -> list[dict[str, object]]:
        return [_best(self._market.replay(symbol)) for symbol in self._chosen(params)]

    def _price(self, symbol: str, now_ms: int) -> dict[str, object]:
        series = self._market.series(symbol)
        last = series.trades_sent(now_ms)
        rows = render.trade_rows(series, last, last)
        return {"symbol": symbol, "price": rows[0]["price"] if rows else "0.00000000"}

    def _latest_trade(self, params: Params) -> tuple[Series, int]:
        series = self._market.series(params.text("symbol"))
        return series, series.trades_sent(self._market.clock.now_ms())

    def _chosen(self, params: Params) -> list[str]:
        return chosen(params, self._market.rules)


def chosen(params: Params, listed: Collection[str]) -> list[str]:
    """The symbols asked for by `symbol` or `symbols`; all if by neither. Raises `Refusal`."""
    symbol, symbols = params.maybe("symbol"), params.maybe("symbols")
    if symbol is None and symbols is None:
        return list(listed)
    names = [symbol] if symbol else [part.strip(' "') for part in (symbols or "").strip("[]").split(",")]
    if any(name not in listed for name in names):
        raise Refusal(-1121, "Invalid symbol.")
    return names


def one_or_all(params: Params, rows: list[dict[str, object]]) -> object:
    """The row of the one symbol that was asked for, else all."""
    return rows[0] if params.has("symbol") else rows


def _span(params: Params, grid: Grid, now_ms: int, epoch_ms: int) -> tuple[int, int]:
    """Starts of the first bar and behind the last: `startTime` counts from it, without it back from the end."""
    most = params.limit(ROWS, ROWS_MAX) * grid.step_ms
    start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
    end_ms = now_ms if end_ms is None else min(end_ms, now_ms)
    if start_ms is None:
        stop_ms = grid.floor(end_ms) + grid.step_ms
        return max(stop_ms - most, grid.floor(epoch_ms)), stop_ms
    first_ms = max(grid.floor(start_ms + grid.step_ms - 1), grid.floor(epoch_ms))
    return first_ms, max(first_ms, min(end_ms + 1, first_ms + most))


def _best(replay: Replay) -> dict[str, object]:
    top, decimals = replay.top, replay.series.recording.price_decimals
    return {
        "symbol": replay.series.symbol,
        "bidPrice": to_text(top.bid, decimals),
        "bidQty": top.bid_amount,
        "askPrice": to_text(top.ask, decimals),
        "askQty": top.ask_amount,
    }


def symbol_info(rules: Rules, status: str = "TRADING") -> dict[str, object]:
    """One symbol of `GET /api/v3/exchangeInfo`."""
    amounts = {
        "minQty": text(max(rules.step, rules.amount_min)),
        "maxQty": text(rules.amount_max),
        "stepSize": text(rules.step),
    }
    prices = {"minPrice": text(rules.tick), "maxPrice": text(rules.price_max), "tickSize": text(rules.tick)}
    least, most = rules.trailing_delta_min, rules.trailing_delta_max
    deltas = {f"minTrailing{where}Delta": least for where in ("Above", "Below")}
    deltas |= {f"maxTrailing{where}Delta": most for where in ("Above", "Below")}
    return {
        "symbol": rules.symbol,
        "status": status,
        "baseAsset": rules.base,
        "baseAssetPrecision": 8,
        "quoteAsset": rules.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", **prices},
            {"filterType": "LOT_SIZE", **amounts},
            {"filterType": "NOTIONAL", "minNotional": text(rules.cost_min), "applyMinToMarket": True},
            {"filterType": "TRAILING_DELTA", **deltas},
            {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": rules.amends_max},
        ],
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }
