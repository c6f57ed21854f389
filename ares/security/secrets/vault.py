"""`vault:path#key`: a field of a secret in Vault's KV engine, version 2."""

from __future__ import annotations

from ares.config.secrets import SecretProblem
from ares.config.settings import SecretsConfig
from ares.security.secrets.client import Vault


class VaultSecrets:
    """Reads the newest version; a deleted one is none."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def read(self, place: str) -> str:
        path, _, key = place.partition("#")
        if not path or not key:
            raise SecretProblem("not a path and a key", "Say vault:path#key")
        mount = self._vault.settings.vault_mount
        answer = self._vault.call(
            lambda: self._vault.kv.read_secret_version(path=path, mount_point=mount, raise_on_deleted_version=True),
            f"secret {mount}/{path}",
        )
        fields = answer["data"]["data"]
        if key not in fields:
            known = ", ".join(sorted(fields))
            raise SecretProblem(f"there is no {key!r} in {mount}/{path}", f"It has {known}")
        return str(fields[key])


def vault_secrets(settings: SecretsConfig) -> VaultSecrets:
    """The provider of the scheme `vault`."""
    return VaultSecrets(Vault(settings))
