"""Certificates that Ares lives by: the proxy's own, the database's, Vault's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from ares.config import AresConfig
from ares.errors import ConfigError
from ares.security.tls import Certificate, presented, read_pair
from ares.service.doctor import findings as judge
from ares.service.doctor.findings import Finding

HTTPS_PORT = 443
DAY_S = 86_400
RENEW = "Renew it: Ares takes up new files by itself"


def certificates(config: AresConfig, now: datetime) -> Iterator[Finding]:
    """One finding each; those of servers that do not answer now are skipped."""
    tls, database, vault_url = config.tls, config.database, config.secrets.vault_url
    if tls.cert_file is not None and tls.key_file is not None:
        try:
            yield _judged("the TLS proxy", read_pair(tls.cert_file, tls.key_file, now), now, RENEW)
        except ConfigError as error:
            yield judge.certificate("the TLS proxy", None, str(error), RENEW)
    if database.tls == "verified":
        yield _asked("the database", database.host, database.health_port, now)
    vault = urlsplit(vault_url or "")
    if vault.scheme == "https" and vault.hostname:
        yield _asked("Vault", vault.hostname, vault.port or HTTPS_PORT, now)


def _asked(what: str, host: str, port: int, now: datetime) -> Finding:
    found = presented(host, port)
    if found is None:
        return Finding(f"certificate of {what}", "skip", f"nobody speaks TLS at {host}:{port}")
    return _judged(what, found, now, f"Renew it at {host}")


def _judged(what: str, found: Certificate, now: datetime, way_out: str) -> Finding:
    days = (found.valid_until - now).total_seconds() / DAY_S
    names = " ".join(found.names)
    return judge.certificate(what, days, f"{names}: {days:.0f} days left, until {found.valid_until:%F}", way_out)
