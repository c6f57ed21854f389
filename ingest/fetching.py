"""Composes what `ares ingest backfill --from` and `heal` need, beside whatever service runs."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from ares.clock import Clock
from ares.config import AresConfig
from ares.errors import VenueUnavailable
from ares.model.market import Instrument
from ares.resilience import Backoff
from ares.store import Database, Value
from ingest.archive import archived, kept_from_ns
from ingest.contracts import InBase, sizes_of
from ingest.desk import Desk
from ingest.gaps import Gap
from ingest.history import SoundHistory
from ingest.intakes import has_dense_ids
from ingest.losses import Losses
from ingest.past import Past, Report, Window
from ingest.patience import Patience
from ingest.service import lane_of, limits_of, venue_config
from ingest.sink import Sink, running
from ingest.transport import ARRIVAL_S_MAX, arrived, writer_of
from ingest.validation import Validator
from ingest.venues.registry import create_feed, create_history

What = Literal["trades", "bars", "all"]
ReportOf = Callable[[str], Report]
"""Who is told the progress of the task of this name."""


@dataclass(frozen=True, slots=True)
class Order:
    """What of the past is wanted."""

    symbols: Sequence[str]
    what: What
    window: Window


async def fetch_range(config: AresConfig, order: Order, clock: Clock, report_of: ReportOf) -> list[dict[str, Value]]:
    """Fetch what is missing of a range, symbol by symbol. Raises `VenueError`, `StoreError`, `UnknownSymbol`."""
    rows: list[dict[str, Value]] = []
    async with past_of(config, clock) as past:
        for symbol in order.symbols:
            if order.what in ("bars", "all"):
                rows.append((await past.bars(symbol, order.window, report_of(f"{symbol} bars"))).row())
            if order.what in ("trades", "all"):
                rows.append((await past.trades(symbol, order.window, report_of(f"{symbol} trades"))).row())
    return rows


async def heal_gaps(
    config: AresConfig, symbols: Sequence[str], gap_id: str | None, clock: Clock, report_of: ReportOf
) -> list[dict[str, Value]]:
    """Ask again for the trades of gaps. Raises `VenueError`, `StoreError`, `UsageError`."""
    async with past_of(config, clock) as past:
        losses = Losses(past)
        gaps: Sequence[Gap] = await losses.gaps(symbols, gap_id)
        return [await losses.heal(gap, report_of(f"{gap.symbol} {gap.missing or ''}".strip())) for gap in gaps]


@asynccontextmanager
async def past_of(config: AresConfig, clock: Clock) -> AsyncIterator[Past]:
    """The past of the configured venue, on connections and a lane of its own."""
    settings, venue = config.ingest, venue_config(config)
    name = settings.venue
    kept_ns = kept_from_ns(clock.now_ns(), config.database.retention_trades_days)
    writer = writer_of(config)
    try:
        async with await Database.connect(config.database) as database:
            instruments = await _instruments(config, clock)
            names = {each.symbol: each.venue_symbol for each in instruments}
            source = create_history(name, venue, names, clock)
            source.pace(venue.backfill_requests_per_minute_max)
            lane = Sink(lane_of("past", settings), writer, clock, _backoff(config))
            lane.route = lambda rows: archived(rows, kept_ns)
            lane.on_refused = Desk(
                name, settings.symbols, limits_of(settings), clock, dense_ids=has_dense_ids(venue)
            ).refused_history
            history = SoundHistory(source, Validator(limits_of(settings)), clock, InBase(sizes_of(instruments)))
            try:
                async with running([lane]):
                    past = Past(name, database, history, lane, clock, Patience(clock, _backoff(config)), kept_ns)
                    past.arrived = lambda: arrived(config, clock, ARRIVAL_S_MAX)
                    yield past
            finally:
                await source.close()
    finally:
        await writer.close()


async def _instruments(config: AresConfig, clock: Clock) -> Sequence[Instrument]:
    """Those of the configured symbols. Raises `VenueUnavailable`, `UnknownSymbol`."""
    name, venue = config.ingest.venue, venue_config(config)
    try:
        return await create_feed(name, venue, config.ingest, clock).open()
    except VenueUnavailable as error:
        address = venue.rest_url or "its public address"
        raise VenueUnavailable(f"venue {name!r} at {address} cannot be reached: {error}") from None


def _backoff(config: AresConfig) -> Backoff:
    return Backoff(config.ingest.backoff_s_min, config.ingest.backoff_s_max, random.Random())  # noqa: S311 - jitter
