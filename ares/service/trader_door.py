"""Where a running trader is asked: by what it left in its state directory, or at an address that settings name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from ares.config.settings import AresConfig
from ares.errors import OperatingError


class NoTrader(OperatingError):
    """No trader's control port is here, or it did not do what it was asked for."""

    code = "no_trader"


@dataclass(frozen=True, slots=True)
class TraderPlace:
    """The trader of this state directory, or the one at `url` that was given the same `token`.

    >>> TraderPlace(Path("var"), "http://trader:8820", SecretStr("said by both")).door()
    ('http://trader:8820', 'said by both')
    """

    state_dir: Path
    url: str | None = None
    token: SecretStr | None = None

    @classmethod
    def of(cls, config: AresConfig) -> Self:
        """As the settings say."""
        trading = config.trading
        return cls(config.environment.state_dir.resolve(), trading.control_url, trading.control_token)

    def door(self) -> tuple[str, str]:
        """Its address and bearer token. Raises `NoTrader` where none runs here."""
        try:
            token = self.token.get_secret_value() if self.token else _read(token_path(self.state_dir))
            return (self.url or f"http://{_read(address_path(self.state_dir))}").rstrip("/"), token
        except OSError as error:
            raise NoTrader(f"no trader runs here: {error.filename} cannot be read ({error.strerror})") from None


def token_path(state_dir: Path) -> Path:
    """The bearer token of the control port; only its owner can read it."""
    return state_dir / "run" / "trader.token"


def address_path(state_dir: Path) -> Path:
    """On which host and port the control port listens."""
    return state_dir / "run" / "trader.address"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
