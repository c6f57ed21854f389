"""Where a running trader is asked: by what it left in its state directory, or at an address that settings name.

Two traders of one account may run here, each of a colour: each leaves files of its own, and who leads those that
everybody finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from ares.config.settings import AresConfig
from ares.errors import OperatingError

READS_MAX = 5


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
    color: str = ""
    """Of the one that is meant; empty: the one that leads."""

    @classmethod
    def of(cls, config: AresConfig) -> Self:
        """As the settings say."""
        trading = config.trading
        return cls(config.environment.state_dir.resolve(), trading.control_url, trading.control_token)

    @classmethod
    def here(cls, config: AresConfig, color: str) -> Self:
        """The trader of a colour in this state directory, whether it leads or stands by."""
        return cls(config.environment.state_dir.resolve(), None, config.trading.control_token, color)

    def door(self) -> tuple[str, str]:
        """Its address and bearer token. Raises `NoTrader` where none runs here."""
        try:
            read = self._read()
            for _ in range(READS_MAX):  # while one lets another lead, the two files are not always of the same trader
                before, read = read, self._read()
                if read == before:
                    break
            return read
        except OSError as error:
            whose = f"no {self.color} trader" if self.color else "no trader"
            raise NoTrader(f"{whose} runs here: {error.filename} cannot be read ({error.strerror})") from None

    def _read(self) -> tuple[str, str]:
        token = self.token.get_secret_value() if self.token else _read(token_path(self.state_dir, self.color))
        return (self.url or f"http://{_read(address_path(self.state_dir, self.color))}").rstrip("/"), token


def token_path(state_dir: Path, color: str = "") -> Path:
    """The bearer token of the control port of who leads, or of a colour; only its owner can read it."""
    return state_dir / "run" / f"{_name(color)}.token"


def address_path(state_dir: Path, color: str = "") -> Path:
    """On which host and port that control port listens."""
    return state_dir / "run" / f"{_name(color)}.address"


def colors_here(state_dir: Path) -> list[str]:
    """The colours that left files in a state directory, whether they still run or not."""
    return sorted(path.stem.removeprefix("trader-") for path in (state_dir / "run").glob("trader-*.address"))


def _name(color: str) -> str:
    return f"trader-{color}" if color else "trader"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
