"""Questions to the venue outside of the service: is it there, and what was before. Composes what commands need."""

from __future__ import annotations

import random

from ares.clock import HOUR_NS, NANOS_PER_MILLI, SystemClock
from ares.config import AresConfig
from ares.errors import VenueUnavailable
from ares.resilience import Backoff
from ares.store import Database, Value
from ingest.archive import archived, kept_from_ns
from ingest.backfill import BarKeeper, Report, TradeBackfill
from ingest.contracts import InBase, sizes_of
from ingest.desk import Desk
from ingest.history import SoundHistory
from ingest.intakes import has_dense_ids
from ingest.recovery import Recovery
from ingest.service import lane_of, limits_of, venue_config
from ingest.sink import Sink, running
from ingest.transport import ARRIVAL_S_MAX, arrived, writer_of
from ingest.validation import Validator
from ingest.venues.registry import create_feed, create_history


async def ask_venue(config: AresConfig) -> list[dict[str, Value]]:
    """What the venue says of every configured symbol. Raises `VenueUnavailable` or `UnknownSymbol`."""
    clock = SystemClock()
    name = config.ingest.venue
    feed = create_feed(name, venue_config(config), config.ingest, clock)
    address = venue_config(config).rest_url or "its public address"
    try:
        instruments = await feed.open()
    except VenueUnavailable as error:
        raise VenueUnavailable(f"venue {name!r} at {address} cannot be reached: {error}") from None
    symbols = {each.symbol: each.venue_symbol for each in instruments}
    history = create_history(name, venue_config(config), symbols, clock)
    rows: list[dict[str, Value]] = []
    try:
        for each in instruments:
            latest = await history.latest_trade(each.symbol)
            age_ms = None if latest is None else (clock.now_ns() - latest.ts_ns) // NANOS_PER_MILLI
            row: dict[str, Value] = {"venue": name, "symbol": each.symbol, "active": each.active}
            row |= {"price_tick": each.price_tick, "amount_step": each.amount_step, "cost_min": each.cost_min}
            row |= {"last_price": None if latest is None else latest.price, "last_trade_age_ms": age_ms}
            rows.append(row)
    finally:
        await history.close()
    return rows


async def fetch_past(config: AresConfig, symbol: str, hours: float, report: Report) -> tuple[int, int]:
    """Extend a symbol into the past beside whatever service runs; returns how many trades and candles came.

    A venue that tells only its newest trades has none of the past: candles alone come of it.
    """
    clock = SystemClock()
    settings = config.ingest
    instruments = await create_feed(settings.venue, venue_config(config), settings, clock).open()
    limits = limits_of(settings)
    symbols = {each.symbol: each.venue_symbol for each in instruments}
    source = create_history(settings.venue, venue_config(config), symbols, clock)
    history = SoundHistory(source, Validator(limits), clock, InBase(sizes_of(instruments)))
    dense_ids = has_dense_ids(venue_config(config))
    desk = Desk(settings.venue, (symbol,), limits, clock, dense_ids=dense_ids)
    backoff = Backoff(settings.backoff_s_min, settings.backoff_s_max, random.Random())  # noqa: S311 - jitter
    writer = writer_of(config)
    past = Sink(lane_of("past", settings), writer, clock, backoff)
    retention_days = config.database.retention_trades_days
    past.route = lambda rows: archived(rows, kept_from_ns(clock.now_ns(), retention_days))
    try:
        async with await Database.connect(config.database) as database:
            await arrived(config, clock, ARRIVAL_S_MAX)
            recovery = Recovery(database, settings.venue, clock, retention_days, dense_ids)
            await recovery.settle()
            known = await recovery.known(symbol)
        desk.resume(symbol, known.trades, known.watermark_ns)
        async with running([past]):
            trades = 0
            if dense_ids:
                trades = await TradeBackfill(desk, history, past, clock, report).run(symbol, hours, backoff)
            start_ns = clock.now_ns() - round(hours * HOUR_NS)
            bars = await BarKeeper(settings.venue, history, past, clock).backfill(symbol, start_ns, backoff)
    finally:
        await source.close()
        await writer.close()
    return trades, bars
