"""The services of this package, for the registry."""

from __future__ import annotations

from collections.abc import Sequence

from ares.config import AresConfig
from ares.model.lineage import Made
from ares.service.types import Capability, ServiceSpec


def frozen(_: AresConfig) -> Sequence[Made]:
    """What is frozen from what."""
    from analytics.lineage import frozen_made  # noqa: PLC0415 - the supervisor reads specs, it needs no views

    return frozen_made()


ANALYTICS = ServiceSpec(
    "analytics",
    "analytics.service:create",
    depends_on=("questdb", "ingest"),
    provides=lambda config: [Capability("signals", {"venue": config.ingest.venue})],
    makes=frozen,
)
