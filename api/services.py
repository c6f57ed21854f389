"""The services of this package, for the registry."""

from __future__ import annotations

from collections.abc import Sequence

from ares.config import AresConfig
from ares.service.types import Capability, ServiceSpec


def _provides(config: AresConfig) -> Sequence[Capability]:
    return [Capability("http-api", {"address": f"http://{config.api.host}:{config.api.port}"})]


API = ServiceSpec("api", "api.service:ApiService", provides=_provides)
NOTIFIER = ServiceSpec("notifier", "api.notify.service:NotifierService")
