"""`transit:key#ciphertext`: a secret that is stored anywhere, encrypted by a key that never leaves Vault."""

from __future__ import annotations

import base64
import binascii

from ares.config.secrets import SecretProblem
from ares.config.settings import SecretsConfig
from ares.security.secrets.client import Vault


class TransitSecrets:
    """Encrypts and decrypts by Vault's transit engine. Old ciphertexts stay readable when the key is rotated."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def read(self, place: str) -> str:
        key, _, ciphertext = place.partition("#")
        if not key or not ciphertext:
            raise SecretProblem("not a key and a ciphertext", "Make one with `ares secrets encrypt KEY`")
        answer = self._vault.call(
            lambda: self._vault.transit.decrypt_data(name=key, ciphertext=ciphertext, mount_point=self._mount),
            f"key {self._mount}/{key}",
        )
        try:
            return base64.b64decode(str(answer["data"]["plaintext"])).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise SecretProblem("does not decrypt to text", "Encrypt it again") from None

    def encrypt(self, key: str, secret: str) -> str:
        """A reference to this secret that may be kept in a file. Raises `SecretProblem`."""
        plaintext = base64.b64encode(secret.encode()).decode()
        answer = self._vault.call(
            lambda: self._vault.transit.encrypt_data(name=key, plaintext=plaintext, mount_point=self._mount),
            f"key {self._mount}/{key}",
        )
        return f"transit:{key}#{answer['data']['ciphertext']}"

    @property
    def _mount(self) -> str:
        return self._vault.settings.vault_transit_mount


def transit_secrets(settings: SecretsConfig) -> TransitSecrets:
    """The provider of the scheme `transit`."""
    return TransitSecrets(Vault(settings))
