"""A real Vault for a test: started, unsealed, with the engines on; and what may go wrong with it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hvac
import pytest
import requests

BUILD = Path(__file__).resolve().parents[1] / "infra" / "vault" / "build.sh"
POLICY = 'path "secret/*" { capabilities = ["read"] }\npath "transit/*" { capabilities = ["read", "update"] }'


class RunningVault:
    """A Vault with KV 2, transit and AppRole, and its root's client."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.root = hvac.Client(url=url, timeout=10)
        opened = self.root.sys.initialize(secret_shares=1, secret_threshold=1)
        self._key = opened["keys"][0]
        self.root.token = opened["root_token"]
        self.unseal()
        self.root.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        self.root.sys.enable_secrets_engine("transit")
        self.root.sys.enable_auth_method("approle")
        self.root.sys.create_or_update_policy("ares", POLICY)

    def put(self, path: str, **fields: str) -> None:
        """A new version of a secret; a KV engine that was just switched on takes a moment."""
        for _ in range(100):
            try:
                self.root.secrets.kv.v2.create_or_update_secret(path=path, secret=fields)
            except hvac.exceptions.InvalidRequest:
                time.sleep(0.1)
            else:
                return
        pytest.fail("the KV engine never became ready")

    def approle(self, *, ttl: str = "1h", uses: int = 0, max_ttl: str = "2h") -> tuple[str, str]:
        """Role id and secret id of a role that may read."""
        api = self.root.auth.approle
        api.create_or_update_approle(
            "ares", token_policies=["ares"], token_ttl=ttl, token_max_ttl=max_ttl, secret_id_num_uses=uses
        )
        role_id = api.read_role_id("ares")["data"]["role_id"]
        return str(role_id), str(api.generate_secret_id("ares")["data"]["secret_id"])

    def revoke_logins(self) -> None:
        """Every token that the role gave out ends now."""
        self.root.sys.revoke_prefix("auth/approle/login")

    def seal(self) -> None:
        self.root.sys.seal()

    def unseal(self) -> None:
        self.root.sys.submit_unseal_key(self._key)
        for _ in range(100):
            if requests.get(f"{self.url}/v1/sys/health", timeout=10).status_code == 200:
                return
            time.sleep(0.05)
        pytest.fail("Vault stays sealed")


def program() -> Path:
    """Where the program is, or would be: VAULTD names it, else `make vaultd` builds it."""
    given = os.environ.get("VAULTD")
    if given:
        return Path(given)
    source = b"".join((BUILD.parent / name).read_bytes() for name in ("go.sum", "main.go", "discover/discover.go"))
    digest = hashlib.sha256(source).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "ares" / f"vaultd-{digest}"


def vaultd_built() -> bool:
    """Whether tests may ask for a Vault."""
    return program().is_file()


@contextmanager
def running_vault(port: int) -> Iterator[RunningVault]:
    """A Vault of this test alone; ended with it."""
    if not vaultd_built():
        pytest.skip("no Vault was built for the tests: make vaultd (needs Go)")
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([program(), "-listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                requests.get(f"{url}/v1/sys/health", timeout=2)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield RunningVault(url)
    finally:
        process.kill()
        process.wait()
