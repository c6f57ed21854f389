"""The class `binanceusdm` put together: its market, account, addresses and streams beside spot's on one port."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from aiohttp import web

from ares.clock import Clock
from simulator.clock import MarketClock
from simulator.control import only_loopback
from simulator.hub import Hub
from simulator.journal import EventJournal
from simulator.late_fills import LateFills
from simulator.market import Fees, Source, load_market
from simulator.matching.contracts import ContractOrder, MarginEvent
from simulator.matching.types import Filled
from simulator.misbehaviour import Misbehaviour
from simulator.perpetual.account_api import FuturesApi
from simulator.perpetual.algo_api import AlgoApi
from simulator.perpetual.algo_rows import algo_row
from simulator.perpetual.desk import KINDS, MarginDesk
from simulator.perpetual.market import FEES, Funding, Perpetuals
from simulator.perpetual.public_api import FuturesPublicApi
from simulator.perpetual.pump import PerpetualPump
from simulator.perpetual.rows import order_row
from simulator.perpetual.user_streams import FuturesUserStreams, ListenKey
from simulator.rest import Endpoint
from simulator.streams import MarketStreams

JOURNAL = Path("exchange") / "perpetuals.jsonl"


@dataclass(frozen=True, slots=True)
class PerpetualOptions:
    """How to be an exchange of perpetuals. `wallet` is in USDT; no recordings: the bundled ones."""

    wallet: Decimal = Decimal(20_000)
    recordings: tuple[Source, ...] = ()
    fees: Fees = FEES
    funding: Funding = field(default_factory=Funding)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What it shares with the exchange that it is a part of."""

    state_dir: Path
    seed: int
    market_clock: MarketClock
    clock: Clock
    misbehaviour: Misbehaviour
    late: LateFills


class PerpetualVenue:
    """One account and its markets. Raises `ConfigError` or `StateDirUnusable` when it is built."""

    def __init__(self, options: PerpetualOptions, around: Surroundings) -> None:
        market = load_market(options.recordings, around.seed, around.market_clock, options.fees, perpetual=True)
        self.perpetuals = Perpetuals(market, options.funding)
        self._journal: EventJournal[MarginEvent] = EventJournal(around.state_dir / JOURNAL, KINDS)
        self.desk = MarginDesk(self.perpetuals, self._journal, options.wallet)
        self._late = around.late
        self.desk.listen(self._tell_late)
        hub = Hub(around.misbehaviour)
        self._key = ListenKey(self.perpetuals.now_ms)
        self._markets = MarketStreams(hub, around.clock)
        self._users = FuturesUserStreams(self.desk, self._key, around.clock, around.misbehaviour)
        self.pump = PerpetualPump(self.perpetuals, hub, self.desk)

    def endpoints(self) -> list[Endpoint]:
        """Every path of its REST."""
        api = FuturesApi(self.desk, self.perpetuals, self._late)
        return [
            *public_endpoints(FuturesPublicApi(self.perpetuals)),
            *order_endpoints(api),
            *algo_endpoints(AlgoApi(self.desk)),
            *account_endpoints(api),
            *key_endpoints(self._key),
        ]

    def routes(self) -> list[web.RouteDef]:
        """Streams by kind, as the venue has them since 2026-04-23, and what drills ask."""
        markets = [
            web.get(f"/{kind}{path}", self._markets.serve)
            for kind in ("market", "public")
            for path in ("/ws", "/ws/{name:.+}", "/stream")
        ]
        private = [web.get(path, self._users.serve) for path in ("/private/ws", "/private/ws/{key}")]
        return [*markets, *private, web.get("/sim/perpetual/orders", self._orders)]

    async def close(self) -> None:
        """Say goodbye to the clients and let go of the journal; harmless twice."""
        await self._markets.close()
        await self._users.close()
        self._journal.close()

    async def _orders(self, request: web.Request) -> web.Response:
        """All orders ever accepted, and how often each client id was sent since this process started."""
        only_loopback(request)
        ledger = self.desk.ledger
        return web.json_response(
            {
                "orders": [order_row(order) for order in ledger.orders.values()],
                "algo_orders": [algo_row(order, ledger) for order in ledger.algos.values()],
                "submissions": dict(self.desk.submissions),
            }
        )

    def _tell_late(self, event: MarginEvent, order: ContractOrder | None) -> None:
        if order is not None and isinstance(event, Filled):
            self._late.on_fill(order.accepted.symbol, order.accepted.client_id, event)


def public_endpoints(api: FuturesPublicApi) -> list[Endpoint]:
    """Market data; weights are the venue's."""
    v1 = "/fapi/v1"
    return [
        Endpoint("GET", f"{v1}/ping", api.ping),
        Endpoint("GET", f"{v1}/time", api.time),
        Endpoint("GET", f"{v1}/exchangeInfo", api.exchange_info),
        Endpoint("GET", f"{v1}/depth", api.depth, 5),
        Endpoint("GET", f"{v1}/trades", api.trades, 5),
        Endpoint("GET", f"{v1}/historicalTrades", api.historical_trades, 20),
        Endpoint("GET", f"{v1}/aggTrades", api.agg_trades, 20),
        Endpoint("GET", f"{v1}/klines", api.klines, 5),
        Endpoint("GET", f"{v1}/premiumIndex", api.premium_index, 1),
        Endpoint("GET", f"{v1}/fundingRate", api.funding_rate, 1),
        Endpoint("GET", f"{v1}/fundingInfo", api.funding_info, 1),
        Endpoint("GET", f"{v1}/ticker/price", api.ticker_price, 1),
        Endpoint("GET", f"{v1}/ticker/bookTicker", api.ticker_book, 2),
        Endpoint("GET", f"{v1}/ticker/24hr", api.ticker_day, 1),
    ]


def order_endpoints(api: FuturesApi) -> list[Endpoint]:
    """Orders and what they did; signed."""
    v1 = "/fapi/v1"
    return [
        Endpoint("POST", f"{v1}/order", api.place, 1, signed=True),
        Endpoint("POST", f"{v1}/order/test", api.test, 1, signed=True),
        Endpoint("GET", f"{v1}/order", api.order, 1, signed=True),
        Endpoint("DELETE", f"{v1}/order", api.cancel, 1, signed=True),
        Endpoint("GET", f"{v1}/openOrder", api.open_order, 1, signed=True),
        Endpoint("GET", f"{v1}/openOrders", api.open_orders, 1, signed=True),
        Endpoint("DELETE", f"{v1}/allOpenOrders", api.cancel_all, 1, signed=True),
        Endpoint("GET", f"{v1}/allOrders", api.all_orders, 5, signed=True),
        Endpoint("GET", f"{v1}/forceOrders", api.force_orders, 20, signed=True),
        Endpoint("GET", f"{v1}/userTrades", api.user_trades, 5, signed=True),
    ]


def algo_endpoints(api: AlgoApi) -> list[Endpoint]:
    """Orders that wait for a price; signed."""
    v1 = "/fapi/v1"
    return [
        Endpoint("POST", f"{v1}/algoOrder", api.place, 1, signed=True),
        Endpoint("GET", f"{v1}/algoOrder", api.order, 1, signed=True),
        Endpoint("DELETE", f"{v1}/algoOrder", api.cancel, 1, signed=True),
        Endpoint("GET", f"{v1}/openAlgoOrders", api.open_orders, 1, signed=True),
        Endpoint("DELETE", f"{v1}/algoOpenOrders", api.cancel_all, 1, signed=True),
        Endpoint("GET", f"{v1}/allAlgoOrders", api.all_orders, 5, signed=True),
    ]


def account_endpoints(api: FuturesApi) -> list[Endpoint]:
    """Wallet, positions, margin; signed."""
    v1, v2, v3 = "/fapi/v1", "/fapi/v2", "/fapi/v3"
    return [
        Endpoint("GET", f"{v2}/balance", api.balance, 5, signed=True),
        Endpoint("GET", f"{v3}/balance", api.balance, 5, signed=True),
        Endpoint("GET", f"{v2}/account", api.account, 5, signed=True),
        Endpoint("GET", f"{v3}/account", api.account, 5, signed=True),
        Endpoint("GET", f"{v2}/positionRisk", api.position_risk_v2, 5, signed=True),
        Endpoint("GET", f"{v3}/positionRisk", api.position_risk, 5, signed=True),
        Endpoint("GET", f"{v1}/income", api.income, 30, signed=True),
        Endpoint("GET", f"{v1}/leverageBracket", api.leverage_bracket, 1, signed=True),
        Endpoint("POST", f"{v1}/leverage", api.set_leverage, 1, signed=True),
        Endpoint("POST", f"{v1}/marginType", api.set_margin_type, 1, signed=True),
        Endpoint("GET", f"{v1}/positionSide/dual", api.position_mode, 30, signed=True),
        Endpoint("POST", f"{v1}/positionSide/dual", api.set_position_mode, 1, signed=True),
        Endpoint("GET", f"{v1}/multiAssetsMargin", api.margin_mode, 30, signed=True),
        Endpoint("GET", f"{v1}/commissionRate", api.commission_rate, 20, signed=True),
        Endpoint("GET", f"{v1}/symbolConfig", api.symbol_config, 5, signed=True),
        Endpoint("GET", f"{v1}/accountConfig", api.account_config, 5, signed=True),
    ]


def key_endpoints(key: ListenKey) -> list[Endpoint]:
    """The private stream's key; the API key is enough."""
    path = "/fapi/v1/listenKey"
    return [
        Endpoint("POST", path, key.open, 1, keyed=True),
        Endpoint("PUT", path, key.renew, 1, keyed=True),
        Endpoint("DELETE", path, key.close, 1, keyed=True),
    ]
