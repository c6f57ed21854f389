"""The exchange: recordings become a market, the market an address that speaks Binance's protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from aiohttp import web

from ares.clock import NANOS_PER_MILLI, Clock
from ares.errors import ConfigError
from ares.service.http import listen
from ares.service.types import Health
from ares.telemetry import get_logger
from simulator.account_api import AccountApi
from simulator.auth import Keys
from simulator.change_api import ChangeApi
from simulator.clock import MarketClock
from simulator.control import Control, Issued
from simulator.desk import Desk
from simulator.hub import Hub
from simulator.journal import Journal
from simulator.late_fills import LateFills
from simulator.market import Fees, Source, load_market
from simulator.misbehaviour import Kind, Misbehaviour
from simulator.paper.upstream import FeedOptions
from simulator.paper.venue import PaperVenue
from simulator.perpetual.venue import PerpetualOptions, PerpetualVenue, Surroundings
from simulator.prices import Prices
from simulator.public_api import PublicApi
from simulator.pump import Pump
from simulator.rest import PublicMethods, Rest, account_endpoints, change_endpoints, public_endpoints
from simulator.streams import MarketStreams
from simulator.user_streams import UserStreams, signed_methods

JOURNAL = Path("exchange") / "journal.jsonl"
SHUTDOWN_S = 1.0
ONE_MARKET = "Leave one of the two out"
DEFAULT_FEES = Fees(Decimal("0.001"), Decimal("0.001"))

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """How to be an exchange. `start_ns`: replay the past from there at `speed`.

    No recordings: the bundled ones; one that is already loaded serves as well as its path.

    >>> ExchangeOptions(state_dir=Path("var"), port=8900, keys=Keys("dev-key", "dev-secret"))
    """

    state_dir: Path
    host: str = "127.0.0.1"
    port: int = 8900
    recordings: tuple[Source, ...] = ()
    seed: int = 1
    fees: Fees = DEFAULT_FEES
    balances: Mapping[str, Decimal] = field(default_factory=dict)
    keys: Keys | None = None
    speed: float = 1.0
    start_ns: int | None = None
    rates: Mapping[Kind, float] = field(default_factory=dict)
    perpetuals: PerpetualOptions | None = None
    """With them it is the class `binanceusdm` too, under /fapi."""
    feed: FeedOptions | None = None
    """With it orders meet a venue's market of now instead of recordings: paper trading."""


@dataclass(frozen=True, slots=True)
class Spot:
    """The coins' market and account, however the market comes about; `play` moves it on until cancelled."""

    market: Prices
    desk: Desk
    api: PublicMethods
    play: Callable[[], Coroutine[None, None, None]]
    routes: list[web.RouteDef]


class Exchange:
    """A service (`start`, `run`, `stop`, `health`). `address` is where it listens, once started."""

    def __init__(self, options: ExchangeOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._journal = Journal(options.state_dir / JOURNAL)
        self._runner: web.AppRunner | None = None
        self._playing: list[Callable[[], Coroutine[None, None, None]]] = []
        self._paper: PaperVenue | None = None
        self._markets: MarketStreams | None = None
        self._users: UserStreams | None = None
        self._perpetuals: PerpetualVenue | None = None
        self.address = ""

    async def start(self) -> None:
        """Load, recover the account, listen.

        Raises `ConfigError`, `StateDirUnusable`, `PortInUse`, or what the feed's venue fails with.
        """
        options = self._options
        market_clock = MarketClock(self._clock, options.speed, options.start_ns)
        misbehaviour = Misbehaviour(options.seed, dict(options.rates), now_ms=self._now_ms)
        hub = Hub(misbehaviour)
        spot = await (self._fed(options.feed, hub, market_clock) if options.feed else self._replayed(hub, market_clock))
        market, desk = spot.market, spot.desk
        self._playing.append(spot.play)
        late = LateFills(misbehaviour, self._now_ms)
        desk.listen(late.on_event)
        account = AccountApi(desk, market_clock.now_ms, late, futures=options.perpetuals is not None)
        change = ChangeApi(desk, market_clock.now_ms)
        rest = Rest(market, options.keys, misbehaviour, self._clock)
        self._markets = MarketStreams(hub, self._clock)
        signed = signed_methods(account, change)
        self._users = UserStreams(desk, signed, options.keys, self._clock, misbehaviour)
        app = web.Application()
        endpoints = [*public_endpoints(spot.api), *account_endpoints(account), *change_endpoints(change)]
        app.add_routes(rest.routes(endpoints))
        app.add_routes([*Control(desk, misbehaviour).routes(), *spot.routes])
        app.add_routes(stream_routes(self._markets, self._users))
        if options.perpetuals is not None:
            around = Surroundings(options.state_dir, options.seed, market_clock, self._clock, misbehaviour, late)
            self._perpetuals = await asyncio.to_thread(PerpetualVenue, options.perpetuals, around)
            self._perpetuals.pump.start()
            self._playing.append(self._perpetuals.pump.run)
            app.add_routes(rest.routes(self._perpetuals.endpoints()))
            app.add_routes(self._perpetuals.routes())
        await self._listen(app)
        log.info("exchange_listening", address=self.address, symbols=market.symbols)

    async def run(self) -> None:
        """Play the market until cancelled; returns only when a replay of the past has reached the present."""
        assert self._playing, "start() comes first"
        async with asyncio.TaskGroup() as playing:
            for play in self._playing:
                playing.create_task(play())
        log.info("replay_reached_present", start_ns=self._options.start_ns)

    async def stop(self) -> None:
        """Say goodbye to the clients and let go of port and journal; harmless twice."""
        for streams in (self._markets, self._users, self._perpetuals, self._paper):
            if streams is not None:
                await streams.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._journal.close()

    def health(self) -> Health:
        clients = self._markets.clients if self._markets else 0
        if self._runner is None:
            return Health(ready=False, detail="not listening")
        trouble = self._paper.trouble if self._paper else ""
        return Health(ready=True, detail=f"takes no orders: {trouble}" if trouble else f"{clients} market data clients")

    async def _replayed(self, hub: Hub, market_clock: MarketClock) -> Spot:
        options = self._options
        market = await asyncio.to_thread(load_market, options.recordings, options.seed, market_clock, options.fees)
        desk = Desk(market, self._journal, options.balances)
        pump = Pump(market, hub, desk)
        pump.start()
        return Spot(market, desk, PublicApi(market), pump.run, Issued(market).routes())

    async def _fed(self, feed: FeedOptions, hub: Hub, market_clock: MarketClock) -> Spot:
        options = self._options
        if options.recordings:
            played = ", ".join(str(getattr(source, "symbol", source)) for source in options.recordings)
            raise ConfigError("simulator.recordings", played, f"simulator.feed = {feed.venue!r} is played", ONE_MARKET)
        if options.start_ns is not None:
            raise ConfigError("--start", options.start_ns, f"simulator.feed = {feed.venue!r} is of now", ONE_MARKET)
        self._paper = PaperVenue(feed, hub, self._clock)
        market = await self._paper.open(market_clock, options.fees)
        desk = Desk(market, self._journal, options.balances)
        return Spot(market, desk, self._paper.serve(market, desk), self._paper.run, [])

    def _now_ms(self) -> int:
        """The machine's time: faults last as long for those who wait, whatever the market's speed."""
        return self._clock.now_ns() // NANOS_PER_MILLI

    async def _listen(self, app: web.Application) -> None:
        host, port = self._options.host, self._options.port
        self._runner, bound = await listen(app, "simulator.port", host, port, shutdown_s=SHUTDOWN_S)
        self.address = f"http://{host}:{bound}"


def stream_routes(markets: MarketStreams, users: UserStreams) -> list[web.RouteDef]:
    """Every address a WebSocket client may dial; ccxt dials /stream/ws/<n> and /ws-api/v3."""
    paths = ("/ws", "/ws/{name:.+}", "/stream", "/stream/ws", "/stream/ws/{name:.+}")
    return [web.get(path, markets.serve) for path in paths] + [web.get("/ws-api/v3", users.serve)]
