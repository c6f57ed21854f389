"""How QuestDB is reached encrypted: by the same setting over PostgreSQL's wire, HTTP and its health port.

QuestDB's open edition speaks no TLS, so a proxy stands before it (`ares.service.tls`, or yours); this is our side of
the line. There is no "encrypted, but whoever it is": who encrypts also asks the server to prove its name.
"""

from __future__ import annotations

import ssl

from ares.config.settings import DatabaseConfig
from ares.errors import ConfigError


def pg_encryption(config: DatabaseConfig) -> dict[str, str]:
    """Words of libpq's connection string."""
    if config.tls != "verified":
        return {"sslmode": "disable"}
    authority = "system" if config.tls_ca_file is None else str(config.tls_ca_file)
    return {"sslmode": "verify-full", "sslrootcert": authority, "gssencmode": "disable"}


def scheme(config: DatabaseConfig) -> str:
    """Of HTTP."""
    return "https" if config.tls == "verified" else "http"


def ssl_context(config: DatabaseConfig) -> ssl.SSLContext | None:
    """For HTTP; None in the clear. Raises `ConfigError` if the authority's file cannot be used."""
    if config.tls != "verified":
        return None
    try:
        return ssl.create_default_context(cafile=config.tls_ca_file)
    except (OSError, ssl.SSLError) as error:
        field, way_out = (
            "database.tls_ca_file",
            "Name the PEM file of the authority that signed the server's certificate",
        )
        raise ConfigError(field, str(config.tls_ca_file), f"cannot be used ({error})", way_out) from None
