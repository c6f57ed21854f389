"""The services of this package, for the registry."""

from __future__ import annotations

from collections.abc import Sequence

from ares.config import AresConfig
from ares.model.lineage import Made, Node
from ares.service.types import Capability, ServiceSpec

COLLECTED = ("trades", "quotes", "books", "venue_bars_1m", "funding", "instruments", "gaps", "ingest_watermarks")


def collected(config: AresConfig) -> Sequence[Made]:
    """The tables that a venue's frames become."""
    venue = Node("venue", config.ingest.venue)
    detail = f"symbols {', '.join(config.ingest.symbols)}"
    return [Made(Node("table", name), (venue,), detail) for name in COLLECTED]


INGEST = ServiceSpec(
    "ingest",
    "ingest.service:create",
    depends_on=("questdb",),
    provides=lambda config: [Capability("venue-feed", {"venue": config.ingest.venue})],
    makes=collected,
)

INGEST_SINK = ServiceSpec("ingest-sink", "ingest.worker:create", depends_on=("questdb",))
INFLUX = ServiceSpec("influx", "ingest.influx.service:create", depends_on=("questdb",))
