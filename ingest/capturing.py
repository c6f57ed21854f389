"""The capture of a running service: where it lies and by which bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import ConfigError
from ares.service import ServiceContext
from ingest.capture.records import FORMAT, About
from ingest.capture.retention import Bounds
from ingest.capture.tap import Tap
from ingest.contracts import Size

FOLDER = "capture"


class Capture(Tap, Protocol):
    """A tap that writes to disk."""

    @property
    def trouble(self) -> str: ...
    def describe(self, symbols: Mapping[str, str], sizes: Mapping[str, Size]) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


def capture_of(context: ServiceContext, venue: VenueConfig) -> Capture | None:
    """The recorder of the venue that is collected, not started; None where nothing is to be captured.

    Raises `ConfigError` where there are no raw frames.
    """
    if not context.config.ingest.capture:
        return None
    from ingest.capture.recorder import Recorder  # noqa: PLC0415 - pyarrow costs 60 MB; only who captures pays

    settings = context.config.ingest
    if venue.feed != "native":
        way_out = f'Take venues.{settings.venue}.feed = "native", or capture = false'
        raise ConfigError("ingest.capture", "true", f"the feed {venue.feed!r} shows us no raw frames", way_out)
    about = About(FORMAT, settings.venue, venue.protocol, {}, settings.book_levels, settings.book_s_min)
    return Recorder(context.state_dir / FOLDER / settings.venue, about, bounds_of(settings), context.clock)


def bounds_of(settings: IngestConfig) -> Bounds:
    """How much is kept."""
    return Bounds(
        settings.capture_mb_max,
        settings.capture_days_max,
        settings.capture_disk_free_mb_min,
        settings.capture_segment_mb_max,
        settings.capture_segment_minutes_max,
        settings.capture_flush_s,
    )
