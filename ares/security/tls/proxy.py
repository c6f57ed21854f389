"""What stunnel is told. Pure."""

from __future__ import annotations

from ares.config.settings import DatabaseConfig, TlsConfig

DOORS = ("http_port", "pg_port", "health_port")


def stunnel_config(tls: TlsConfig, database: DatabaseConfig) -> str:
    """One door of the proxy for each of QuestDB's: https, PostgreSQL's wire (which asks for TLS first), health.

    See stunnel(8). No session tickets and no renegotiation: connections are few and long, and tickets outlive keys.
    """
    common = {
        "foreground": "yes",
        "pid": "",
        "syslog": "no",
        "debug": "notice",
        "sslVersionMin": "TLSv1.2",
        "renegotiation": "no",
        "options": "NO_TICKET",
        "cert": str(tls.cert_file),
        "key": str(tls.key_file),
    }
    lines = [f"{name} = {value}" for name, value in common.items()]
    for door in DOORS:
        lines += [
            f"[{door.removesuffix('_port')}]",
            f"accept = {tls.host}:{getattr(tls, door)}",
            f"connect = {database.host}:{getattr(database, door)}",
            *(["protocol = pgsql"] if door == "pg_port" else []),
        ]
    return "\n".join(lines) + "\n"
