"""The service `errands`: what people asked for over the API, and takes long."""

from __future__ import annotations

import asyncio

from ares.config import AresConfig
from ares.control import ControlStore
from ares.service.errands.registry import errand
from ares.service.errands.runner import ErrandRunner
from ares.service.types import Capability, Health, ServiceContext, ServiceSpec


class ErrandService:
    """Several may run: an errand is carried out by one of them."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._control: ControlStore | None = None

    async def start(self) -> None:
        self._control = await asyncio.to_thread(ControlStore.open, self._context.control_url)

    async def run(self) -> None:
        assert self._control is not None, "start() comes first"
        await ErrandRunner(self._context, self._control, errand).run()

    async def stop(self) -> None:
        if self._control is not None:
            self._control.close()

    def health(self) -> Health:
        return Health(self._control is not None)

    def reconfigure(self, config: AresConfig) -> None:
        """The next look is by the new limits."""
        self._context.config = config


ERRANDS = ServiceSpec(
    "errands", "ares.service.errands.service:ErrandService", provides=lambda _: [Capability("errands")]
)
