"""The keys of the door: they sign access tokens, seal second factors and addresses. Newest first; older ones open."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ares.errors import ConfigError
from ares.files import PRIVATE_MODE, make_once, write_whole

KEY_BYTES = 32
_OTHERS_MAY_READ = 0o077
WAY_OUT = "A key is 32 bytes in URL-safe base64, one a line, newest first"


class Use(StrEnum):
    """What is sealed; each has keys of its own."""

    SECOND_FACTOR = "ares second factors"
    TARGET = "ares notification targets"


_LOST: Mapping[Use, tuple[str, str]] = {
    Use.SECOND_FACTOR: ("a second factor", "take the factor away: ares user second-factor NAME --off"),
    Use.TARGET: ("where somebody is told", "remove the target and add it anew: ares user notify remove NAME TARGET"),
}


class Keyring:
    """One or more master keys; what each is used for is derived from it (HKDF, RFC 5869)."""

    def __init__(self, masters: Sequence[bytes]) -> None:
        assert masters, "a keyring without keys"
        self.signing = {_name(master): _derived(master, b"ares access tokens") for master in masters}
        self._seals = {use: _seals(masters, use.value.encode()) for use in Use}

    @classmethod
    def of(cls, text: str, setting: str) -> Self:
        """From lines. Raises `ConfigError` naming the setting, and never a key."""
        masters = []
        for line in text.split():
            try:
                master = base64.urlsafe_b64decode(line + "=" * (-len(line) % 4))
            except ValueError:
                raise ConfigError(setting, "(hidden)", "not base64", WAY_OUT) from None
            if len(master) != KEY_BYTES:
                raise ConfigError(setting, "(hidden)", f"a key of {len(master)} bytes", WAY_OUT)
            masters.append(master)
        if not masters:
            raise ConfigError(setting, "(hidden)", "no key", WAY_OUT)
        return cls(masters)

    @classmethod
    def open(cls, path: Path, setting: str) -> Self:
        """From a file of this user alone, which is made once. Raises `ConfigError`."""
        try:
            make_once(path, f"{_new_key()}\n".encode())
            if path.stat().st_mode & _OTHERS_MAY_READ:
                raise ConfigError(setting, str(path), "others can read it", f"chmod 600 {path}")
            return cls.of(path.read_text(encoding="ascii"), setting)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                setting, str(path), str(error), "Restore it from a backup of the state directory"
            ) from None

    @property
    def newest(self) -> str:
        """The name of the key that signs now."""
        return next(iter(self.signing))

    def seal(self, text: str, use: Use = Use.SECOND_FACTOR) -> str:
        """Encrypted and authenticated, by the newest key."""
        return self._seals[use].encrypt(text.encode()).decode()

    def unseal(self, sealed: str, use: Use = Use.SECOND_FACTOR) -> str:
        """Raises `ConfigError` if no key here sealed it."""
        try:
            return self._seals[use].decrypt(sealed.encode()).decode()
        except InvalidToken:
            what, otherwise = _LOST[use]
            way_out = f"Bring that key back, or {otherwise}"
            raise ConfigError("access.key", "(hidden)", f"{what} was sealed by another key", way_out) from None


def rotate(path: Path) -> None:
    """A new key before those of a file. Who is logged in stays so; take old keys out when nothing needs them."""
    write_whole(path, f"{_new_key()}\n{path.read_text(encoding='ascii')}".encode(), PRIVATE_MODE)


def _new_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _name(master: bytes) -> str:
    return hashlib.sha256(b"name" + master).hexdigest()[:12]


def _seals(masters: Sequence[bytes], use: bytes) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(master, use))) for master in masters])


def _derived(master: bytes, use: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=use).derive(master)
