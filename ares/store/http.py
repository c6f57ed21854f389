"""QuestDB over HTTP: a connection, and who we are on it."""

from __future__ import annotations

import base64
import http.client

from ares.config.settings import DatabaseConfig
from ares.store.encryption import ssl_context

ANSWER_BYTES_MAX = 4_096
"""Of an answer that is a refusal."""


def connection(config: DatabaseConfig, timeout_s: float) -> http.client.HTTPConnection:
    """Not connected yet; waits so many seconds for each byte. Raises `ConfigError` as `ssl_context`."""
    encryption = ssl_context(config)
    if encryption is None:
        return http.client.HTTPConnection(config.host, config.http_port, timeout=timeout_s)
    return http.client.HTTPSConnection(config.host, config.http_port, timeout=timeout_s, context=encryption)


def login(config: DatabaseConfig) -> dict[str, str]:
    """The header of the writing user: QuestDB knows one user over HTTP."""
    user = f"{config.user}:{config.password.get_secret_value()}"
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode('ascii')}"}
