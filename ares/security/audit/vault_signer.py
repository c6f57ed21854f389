"""Heads signed by a key that never leaves a Vault: who has this machine cannot sign for it once Vault says no."""

from __future__ import annotations

import base64
import binascii
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ares.config.secrets import SecretProblem
from ares.config.settings import SecretsConfig
from ares.errors import AuditKeyUnusable
from ares.security.audit.signer import key_id_of
from ares.security.secrets.client import Vault

WAY_OUT = (
    "Make it: vault write transit/keys/<name> type=ed25519; the policy needs read on it and update on transit/sign"
)


class VaultSigner:
    """Signs by Vault's transit engine with the version of the key that was newest when it was opened."""

    def __init__(self, vault: Vault, name: str, version: int, public: Ed25519PublicKey) -> None:
        self._vault = vault
        self._name = name
        self._version = version
        self._public = public
        self.key_id = key_id_of(public)

    @classmethod
    def open(cls, settings: SecretsConfig, name: str) -> Self:
        """Find the key. Raises `AuditKeyUnusable`."""
        try:
            vault = Vault(settings)
            mount = settings.vault_transit_mount
            facts = vault.call(lambda: vault.transit.read_key(name=name, mount_point=mount), f"key {mount}/{name}")
        except SecretProblem as error:
            raise AuditKeyUnusable(name, error.problem, error.way_out) from None
        keys = facts["data"]["keys"]
        newest = int(str(facts["data"]["latest_version"]))
        key = keys.get(str(newest)) if isinstance(keys, dict) else None
        try:
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key["public_key"]))  # type: ignore[index]
        except (TypeError, KeyError, ValueError, binascii.Error):
            raise AuditKeyUnusable(name, "not an Ed25519 key of Vault", WAY_OUT) from None
        return cls(vault, name, newest, public)

    def sign(self, payload: bytes) -> str:
        """The signature, hexadecimal. Raises `AuditKeyUnusable` while Vault does not sign."""
        mount = self._vault.settings.vault_transit_mount
        try:
            answer = self._vault.call(
                lambda: self._vault.transit.sign_data(
                    name=self._name,
                    hash_input=base64.b64encode(payload).decode(),
                    key_version=self._version,
                    mount_point=mount,
                ),
                f"signing by {mount}/{self._name}",
            )
        except SecretProblem as error:
            raise AuditKeyUnusable(self._name, error.problem, error.way_out) from None
        return base64.b64decode(str(answer["data"]["signature"]).rpartition(":")[2]).hex()

    def public_pem(self) -> bytes:
        return self._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
