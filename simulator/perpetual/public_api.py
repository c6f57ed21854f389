"""Market data of perpetuals over REST: spot's answers in the words of /fapi, mark prices and funding rates."""

from __future__ import annotations

from simulator.matching.conditional import WAITING_MAX
from simulator.matching.contracts import CONTRACT_TIMES, CONTRACT_TYPES, Contract
from simulator.matching.types import Refusal
from simulator.order_rows import text
from simulator.params import Params
from simulator.perpetual.market import Perpetuals
from simulator.perpetual.render import NOT_THERE
from simulator.perpetual.rows import money
from simulator.perpetual.words import CONDITIONAL
from simulator.public_api import PublicApi, one_or_all

RATES = 100
RATES_MAX = 1_000
ENDLESS_MS = 4_133_404_800_000
"""When a perpetual is delivered, as the venue writes it: 2100-12-25."""


class FuturesPublicApi(PublicApi):
    """Everything under /fapi that needs no key."""

    def __init__(self, perpetuals: Perpetuals) -> None:
        super().__init__(perpetuals.market)
        self._perpetuals = perpetuals

    def exchange_info(self, params: Params) -> object:
        limits = [
            {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
            for kind, interval, number, limit in (
                ("REQUEST_WEIGHT", "MINUTE", 1, 2_400),
                ("ORDERS", "MINUTE", 1, 1_200),
                ("ORDERS", "SECOND", 10, 300),
            )
        ]
        contracts = self._perpetuals.contracts
        quotes = sorted({contract.quote for contract in contracts.values()})
        return {
            "timezone": "UTC",
            "serverTime": self._market.clock.now_ms(),
            "futuresType": "U_MARGINED",
            "rateLimits": limits,
            "exchangeFilters": [],
            "assets": [{"asset": quote, "marginAvailable": True, "autoAssetExchange": "0"} for quote in quotes],
            "symbols": [_contract_info(contracts[symbol], self._onboard_ms(symbol)) for symbol in self._chosen(params)],
        }

    def depth(self, params: Params) -> object:
        now_ms = self._market.clock.now_ms()
        answer = super().depth(params)
        assert isinstance(answer, bytes), answer
        return answer.replace(b',"bids":', f',"E":{now_ms},"T":{now_ms},"bids":'.encode(), 1)

    def agg_trades(self, params: Params) -> object:
        answer = super().agg_trades(params)
        assert isinstance(answer, bytes), answer
        return answer.replace(NOT_THERE, b"")

    def premium_index(self, params: Params) -> object:
        now_ms = self._market.clock.now_ms()
        return one_or_all(params, [self._premium(symbol, now_ms) for symbol in self._chosen(params)])

    def funding_rate(self, params: Params) -> object:
        """What was paid, the oldest first; of all symbols when none is named."""
        funding, now_ms = self._perpetuals.funding, self._market.clock.now_ms()
        most = params.limit(RATES, RATES_MAX)
        start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
        end_ms = now_ms if end_ms is None else min(end_ms, now_ms)
        if start_ms is not None and start_ms > end_ms:
            return []
        if start_ms is None:
            start_ms = max(0, end_ms - most * funding.interval_ms + 1)
        rows: list[dict[str, object]] = []
        chosen = self._chosen(params)
        for at_ms in funding.times(max(start_ms, self._epoch_ms(chosen)), end_ms):
            if len(rows) >= most:
                break
            rows += [self._payment(symbol, at_ms) for symbol in chosen]
        return rows[:most]

    def funding_info(self, _params: Params) -> object:
        hours = max(1, self._perpetuals.funding.interval_ms // 3_600_000)
        limits = {"adjustedFundingRateCap": "0.02000000", "adjustedFundingRateFloor": "-0.02000000"}
        names = self._perpetuals.contracts
        return [{"symbol": name, **limits, "fundingIntervalHours": hours, "disclaimer": False} for name in names]

    def ticker_book(self, params: Params) -> object:
        now_ms = self._market.clock.now_ms()
        rows = [
            row | {"time": now_ms, "lastUpdateId": self._market.replay(str(row["symbol"])).update_id}
            for row in self._best_rows(params)
        ]
        return one_or_all(params, rows)

    async def klines(self, params: Params) -> object:
        if params.maybe("interval") == "1s":
            raise Refusal(-1120, "Invalid interval.")
        return await super().klines(params)

    def _premium(self, symbol: str, now_ms: int) -> dict[str, object]:
        mark, funding = money(self._perpetuals.mark(symbol, now_ms)), self._perpetuals.funding
        return {
            "symbol": symbol,
            "markPrice": mark,
            "indexPrice": mark,
            "estimatedSettlePrice": mark,
            "lastFundingRate": money(funding.rate),
            "interestRate": "0.00010000",
            "nextFundingTime": funding.next_ms(now_ms),
            "time": now_ms,
        }

    def _payment(self, symbol: str, at_ms: int) -> dict[str, object]:
        rate, mark = money(self._perpetuals.funding.rate), money(self._perpetuals.mark(symbol, at_ms))
        return {"symbol": symbol, "fundingTime": at_ms, "fundingRate": rate, "markPrice": mark}

    def _onboard_ms(self, symbol: str) -> int:
        return self._market.series(symbol).epoch_ms

    def _epoch_ms(self, symbols: list[str]) -> int:
        return max(self._onboard_ms(symbol) for symbol in symbols)


def _contract_info(contract: Contract, onboard_ms: int) -> dict[str, object]:
    amounts = {"minQty": text(contract.step), "maxQty": text(contract.amount_max), "stepSize": text(contract.step)}
    prices = {"minPrice": text(contract.tick), "maxPrice": text(contract.price_max), "tickSize": text(contract.tick)}
    bounds = {"multiplierUp": text(contract.multiplier_up), "multiplierDown": text(contract.multiplier_down)}
    return {
        "symbol": contract.symbol,
        "pair": contract.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": ENDLESS_MS,
        "onboardDate": onboard_ms,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": contract.base,
        "quoteAsset": contract.quote,
        "marginAsset": contract.quote,
        "pricePrecision": _decimals(contract.tick),
        "quantityPrecision": _decimals(contract.step),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": text(contract.liquidation_fee),
        "marketTakeBound": "0.05",
        "filters": [
            {"filterType": "PRICE_FILTER", **prices},
            {"filterType": "LOT_SIZE", **amounts},
            {"filterType": "MARKET_LOT_SIZE", **amounts},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": WAITING_MAX},
            {"filterType": "MIN_NOTIONAL", "notional": text(contract.cost_min)},
            {"filterType": "PERCENT_PRICE", **bounds, "multiplierDecimal": "4"},
        ],
        "orderTypes": [*CONTRACT_TYPES, *CONDITIONAL],
        "timeInForce": list(CONTRACT_TIMES),
    }


def _decimals(grid: object) -> int:
    return len(str(grid).partition(".")[2])
