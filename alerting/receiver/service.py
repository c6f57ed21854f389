"""The service `alerts`: the composition root of the receiver."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from alerting.receiver.actions import AlertActions
from alerting.receiver.dead_man import DeadMan, DeadManParts
from alerting.receiver.door import ReceiverDoor
from alerting.receiver.journal import AlertJournal
from alerting.receiver.outside import Messenger, TraderDoor, telegram
from ares.config import AresConfig
from ares.config.alerting import AlertingConfig
from ares.control import ControlStore
from ares.errors import OperatingError
from ares.files import make_once
from ares.service.trader_door import TraderPlace
from ares.service.types import Health, ServiceContext

TOKEN_BYTES = 32


def receiver_token_path(state_dir: Path) -> Path:
    """The bearer token for Alertmanager, where none is configured; only its owner can read it."""
    return state_dir / "run" / "alerts.token"


class AlertsService:
    """See `ares.service.Service`. Ready while Alertmanager is heard."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._control: ControlStore | None = None
        self._dead_man: DeadMan | None = None
        self._door: ReceiverDoor | None = None
        self.port = 0

    async def start(self) -> None:
        context, config = self._context, self._context.config.alerting
        self._control = await asyncio.to_thread(ControlStore.open, context.control_url)
        url, clock = config.dead_man_url, context.clock
        told = None if url is None else Messenger("dead man", url.get_secret_value(), config.tell_s_max, clock)
        self._dead_man = DeadMan(DeadManParts(self._control, clock, lambda: self._settings().dead_man_s, told))
        trader = TraderDoor(TraderPlace.of(context.config), self._settings)
        actions = AlertActions(AlertJournal(self._control, clock), trader, self._settings, clock)
        self._door = ReceiverDoor(actions, self._dead_man, token_of(config, context.state_dir))
        bot = telegram(config, clock)
        if bot is not None:
            self._door.speak_through(bot, config.telegram_chat)
        self.port = await self._door.start(config.host, config.port)

    async def run(self) -> None:
        assert self._dead_man is not None, "start() comes first"
        await self._dead_man.run()

    def reconfigure(self, config: AresConfig) -> None:
        """What alerts mean and how long silence may last is read from the context with each use."""

    async def stop(self) -> None:
        if self._door is not None:
            await self._door.stop()
        if self._control is not None:
            self._control.close()

    def health(self) -> Health:
        if self._dead_man is None:
            return Health(ready=False, detail="starting")
        return Health(ready=True, detail="Alertmanager is not heard" if self._dead_man.is_silent else "")

    def _settings(self) -> AlertingConfig:
        return self._context.config.alerting


def token_of(config: AlertingConfig, state_dir: Path) -> str:
    """The configured token, or one that is made once. Raises `OperatingError` where it cannot be kept."""
    if config.token is not None:
        return config.token.get_secret_value()
    path = receiver_token_path(state_dir)
    try:
        make_once(path, secrets.token_urlsafe(TOKEN_BYTES).encode())
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OperatingError(f"{path}: the receiver's token cannot be kept ({error.strerror})") from None
