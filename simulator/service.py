"""The simulated exchange, as configured: the only place that puts its parts together."""

from __future__ import annotations

from pathlib import Path

from ares.config.settings import AresConfig, PerpetualsConfig, SimulatorConfig
from ares.service import Service, ServiceContext
from ares.venues import BINANCE_REST, BINANCE_STREAMS
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from simulator.market import Fees
from simulator.paper.upstream import FeedOptions
from simulator.perpetual.market import Funding
from simulator.perpetual.venue import PerpetualOptions


def create_exchange(context: ServiceContext) -> Service:
    """The exchange of `simulator.*`; its account lives in `environment.state_dir`."""
    return Exchange(options_of(context.config, context.state_dir), context.clock)


def options_of(settings: AresConfig, state_dir: Path) -> ExchangeOptions:
    """The settings in the exchange's own words."""
    config = settings.simulator
    return ExchangeOptions(
        state_dir=state_dir,
        host=config.host,
        port=config.port,
        recordings=config.recordings,
        seed=config.seed,
        fees=Fees(config.maker_fee, config.taker_fee),
        balances=config.balances,
        keys=keys_of(config),
        perpetuals=perpetuals_of(config.perpetuals) if config.perpetuals.enabled else None,
        feed=None if config.feed is None else feed_of(settings, config.feed),
    )


def feed_of(settings: AresConfig, name: str) -> FeedOptions:
    """Where the market of paper trading comes from. The venue's keys are nothing to us: its market is public."""
    venue, config = settings.venues[name], settings.simulator
    return FeedOptions(
        name,
        (venue.rest_url or BINANCE_REST).rstrip("/"),
        (venue.ws_url or BINANCE_STREAMS).rstrip("/"),
        tuple(symbol.replace("/", "") for symbol in settings.ingest.symbols),
        silence_s_max=config.feed_silence_s_max,
        timeout_s=venue.request_timeout_s,
        ping_s=venue.ping_s,
        backoff_s_min=config.feed_backoff_s_min,
        backoff_s_max=config.feed_backoff_s_max,
    )


def perpetuals_of(config: PerpetualsConfig) -> PerpetualOptions:
    """The settings of `simulator.perpetuals` in the exchange's own words."""
    return PerpetualOptions(
        wallet=config.wallet,
        recordings=config.recordings,
        fees=Fees(config.maker_fee, config.taker_fee),
        funding=Funding(config.funding_rate, round(config.funding_s * 1_000)),
    )


def keys_of(config: SimulatorConfig) -> Keys | None:
    """The configured keys; None unless both are there."""
    if config.api_key is None or config.api_secret is None:
        return None
    return Keys(config.api_key.get_secret_value(), config.api_secret.get_secret_value())
