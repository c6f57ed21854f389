"""The service `influx`: keeps a copy of what is stored in an InfluxDB, apart from everything that must not wait."""

from __future__ import annotations

import random

from ares.config.influx import InfluxConfig
from ares.config.settings import AresConfig
from ares.errors import ConfigError, CopyDenied, CopyUnavailable, StoreError, StoreUnavailable
from ares.resilience import Backoff
from ares.service import Health, Service, ServiceContext
from ares.store import Database, RowWriter
from ares.telemetry import get_logger, metrics
from ingest.influx.client import Endpoint, Influx
from ingest.influx.copier import Copier

log = get_logger(__name__)

POLL_S = 1.0


class InfluxCopy:
    """One per target; two would only repeat each other's writes."""

    def __init__(self, context: ServiceContext) -> None:
        settings = context.config.influx
        self._clock = context.clock
        self._config = context.config
        self._influx = Influx(endpoint_of(settings))
        self._retired: list[Influx] = []
        self._writer = RowWriter(context.config.database)
        self._database: Database | None = None
        self._copier: Copier | None = None
        self._backoff = Backoff(settings.backoff_s_min, settings.backoff_s_max, random.Random())  # noqa: S311 - jitter
        self._trouble = "starting"

    async def start(self) -> None:
        """Reach our store; the target may be away. Raises `StoreUnavailable`."""
        self._database = await Database.connect(self._config.database)
        name = self._config.influx.target
        assert name is not None, "there is an address, or no service"
        self._copier = Copier(
            self._database, self._writer, lambda: self._influx, name, self._config.influx, self._clock
        )

    async def run(self) -> None:
        """Copy until cancelled."""
        assert self._copier is not None, "start() comes first"
        while True:
            try:
                more = await self._copier.round()
            except (StoreUnavailable, CopyDenied) as error:
                await self._wait(error)
            else:
                self._trouble = ""
                self._backoff.reset()
                await self._clock.sleep(0 if more else POLL_S)
            while self._retired:
                await self._retired.pop().close()

    def reconfigure(self, config: AresConfig) -> None:
        """Go on with a rotated token and other waits; what is being sent ends as it began."""
        before, self._config = self._config.influx, config
        if self._copier is not None:
            self._copier.settings = config.influx
        if config.influx.token != before.token:
            self._retired.append(self._influx)
            self._influx = Influx(endpoint_of(config.influx))

    async def stop(self) -> None:
        """What is not sent is found again after the next start."""
        for each in (*self._retired, self._influx):
            await each.close()
        await self._writer.close()
        if self._database is not None:
            await self._database.close()

    def health(self) -> Health:
        """Ready while the target takes what it is sent."""
        return Health(ready=not self._trouble, detail=self._trouble)

    async def _wait(self, error: StoreError) -> None:
        wished_s = error.retry_after_s if isinstance(error, CopyUnavailable) else None
        wait_s = max(self._backoff.next_wait_s(), min(wished_s or 0.0, self._config.influx.backoff_s_max))
        if self._trouble != str(error):
            log.warning("copy_waits", cause=error.code, error=str(error))
        self._trouble = str(error)
        metrics.INFLUX_FAILURES.labels(error.code).inc()
        await self._clock.sleep(wait_s)


def endpoint_of(settings: InfluxConfig) -> Endpoint:
    """The target of the copy. Raises `ConfigError` where none is set."""
    if settings.url is None:
        way_out = "Set it, influx.org, influx.bucket and influx.token; without it no copy is sent"
        raise ConfigError("influx.url", None, "the copy needs an InfluxDB to go to", way_out)
    return Endpoint(
        settings.url,
        settings.org,
        settings.bucket,
        settings.token,
        settings.auth,
        settings.ca_file,
        settings.timeout_s,
    )


def create(context: ServiceContext) -> Service:
    """The service, unconnected."""
    return InfluxCopy(context)
