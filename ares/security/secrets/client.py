"""One login to a HashiCorp Vault: renewed before it runs out, made again when it was revoked, bounded in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar, cast
from urllib.parse import urlsplit

import hvac
import hvac.exceptions
import requests

from ares.clock import Clock, SystemClock
from ares.config.secrets import SecretProblem
from ares.config.settings import SecretsConfig

RENEW_FROM_SHARE = 0.5
"""Of a login's life: what is asked for later than that renews it first."""
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")

Answer = Mapping[str, Mapping[str, object]]
T = TypeVar("T")


class LoginMethod(Protocol):
    """What we use of hvac's login methods."""

    def login(self, **arguments: str | None) -> Answer: ...


class AuthApi(Protocol):
    """What we use of hvac's `auth`."""

    approle: LoginMethod
    kubernetes: LoginMethod


class TokenApi(Protocol):
    """What we use of hvac's `auth.token`."""

    def renew_self(self) -> Answer: ...
    def lookup_self(self) -> Answer: ...


class KvApi(Protocol):
    """What we use of hvac's `secrets.kv.v2`."""

    def read_secret_version(
        self, *, path: str, mount_point: str, raise_on_deleted_version: bool
    ) -> Mapping[str, Mapping[str, Mapping[str, object]]]: ...


class TransitApi(Protocol):
    """What we use of hvac's `secrets.transit`; all data is base64."""

    def read_key(self, *, name: str, mount_point: str) -> Answer: ...
    def sign_data(self, *, name: str, hash_input: str, key_version: int, mount_point: str) -> Answer: ...

    def encrypt_data(self, *, name: str, plaintext: str, mount_point: str) -> Answer: ...
    def decrypt_data(self, *, name: str, ciphertext: str, mount_point: str) -> Answer: ...


class Vault:
    """Calls into one Vault, from whatever thread. Every call raises `SecretProblem`, never what hvac raises."""

    def __init__(self, settings: SecretsConfig, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock or SystemClock()
        verify = str(settings.vault_ca_file) if settings.vault_ca_file else True
        self._client = hvac.Client(
            url=_checked_url(settings.vault_url),
            namespace=settings.vault_namespace,
            timeout=settings.vault_timeout_s,
            verify=verify,
        )
        self._lock = Lock()
        self._renew_at_s = 0.0
        self._ends_at_s = 0.0

    @property
    def kv(self) -> KvApi:
        return cast("KvApi", self._client.secrets.kv.v2)

    @property
    def transit(self) -> TransitApi:
        return cast("TransitApi", self._client.secrets.transit)

    def call(self, work: Callable[[], T], what: str) -> T:
        """Do something that needs a login; once more with a new one if Vault no longer takes the old.

        `what` names it in the error.
        """
        with self._lock:
            return _translated(lambda: self._with_login(work), what, self.settings)

    def _with_login(self, work: Callable[[], T]) -> T:
        fresh = self._log_in()
        try:
            return work()
        except hvac.exceptions.Forbidden:
            if fresh:
                raise
        self._renew_at_s = self._ends_at_s = 0.0
        self._log_in()
        return work()

    def _log_in(self) -> bool:
        """Have a login that lasts; True if it was made just now."""
        now_s = self._clock.monotonic_s()
        if now_s < self._renew_at_s:
            return False
        if now_s < self._ends_at_s:
            try:
                self._keep(now_s, cast("TokenApi", self._client.auth.token).renew_self()["auth"])
            except (hvac.exceptions.Forbidden, hvac.exceptions.InvalidRequest):
                pass  # not renewable, or revoked: a new one is needed
            else:
                return False
        if self.settings.vault_auth == "token":
            self._take_token(now_s)
        else:
            self._keep(now_s, self._login()["auth"])
        return True

    def _login(self) -> Answer:
        settings, methods = self.settings, cast("AuthApi", self._client.auth)
        mount = settings.vault_auth_mount or settings.vault_auth
        if settings.vault_auth == "kubernetes":
            jwt = _read(settings.vault_jwt_file)
            return methods.kubernetes.login(role=settings.vault_role, jwt=jwt, mount_point=mount)
        secret_id = settings.vault_secret_id
        return methods.approle.login(
            role_id=_needed("vault_role_id", settings.vault_role_id),
            secret_id=secret_id.get_secret_value() if secret_id else None,
            mount_point=mount,
        )

    def _take_token(self, now_s: float) -> None:
        token = self.settings.vault_token
        self._client.token = _needed("vault_token", token.get_secret_value() if token else None)
        facts = cast("TokenApi", self._client.auth.token).lookup_self()["data"]
        self._keep(now_s, {"client_token": self._client.token, "lease_duration": facts["ttl"]})

    def _keep(self, now_s: float, auth: Mapping[str, object]) -> None:
        self._client.token = str(auth["client_token"])
        lasts_s = float(str(auth["lease_duration"])) or float("inf")  # 0: a root token, which never ends
        self._renew_at_s = now_s + lasts_s * RENEW_FROM_SHARE
        self._ends_at_s = now_s + lasts_s


def _translated(work: Callable[[], T], what: str, settings: SecretsConfig) -> T:
    where = f"Vault at {settings.vault_url}"
    try:
        return work()
    except hvac.exceptions.Forbidden:
        raise SecretProblem(
            f"{where} refuses {what}", "Check the policy, and that role and secret id are alive"
        ) from None
    except hvac.exceptions.InvalidPath:
        raise SecretProblem(f"{where} has no {what}", "Check mount, path and key") from None
    except hvac.exceptions.InvalidRequest as error:
        raise SecretProblem(f"{where} does not accept {what}: {_said(error)}", "Check secrets.vault_*") from None
    except hvac.exceptions.VaultDown:
        raise SecretProblem(f"{where} is sealed", "Unseal it", passing=True) from None
    except requests.Timeout:
        problem = f"{where} did not answer within {settings.vault_timeout_s:g} s"
        raise SecretProblem(problem, "See how it is, or raise secrets.vault_timeout_s", passing=True) from None
    except requests.exceptions.SSLError:
        raise SecretProblem(f"{where} shows a certificate that is not trusted", "Set secrets.vault_ca_file") from None
    except requests.RequestException as error:
        problem = f"{where} cannot be reached ({type(error).__name__})"
        raise SecretProblem(problem, "Start it, or correct secrets.vault_url", passing=True) from None
    except hvac.exceptions.VaultError as error:
        raise SecretProblem(f"{where} failed: {_said(error)}", "See its log", passing=True) from None


def _said(error: Exception) -> str:
    return str(error).partition(", on ")[0] or type(error).__name__


def _checked_url(url: str | None) -> str:
    if url is None:
        raise SecretProblem("secrets.vault_url is not set", "Set ARES_SECRETS__VAULT_URL")
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        raise SecretProblem(f"secrets.vault_url = {url!r} would send secrets in the clear", "Use https://")
    return url


def _needed(name: str, value: str | None) -> str:
    if not value:
        raise SecretProblem(f"secrets.{name} is not set", f"Set ARES_SECRETS__{name.upper()}")
    return value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SecretProblem(f"secrets.vault_jwt_file = {str(path)!r}: {error.strerror}", "Is this a pod?") from None
