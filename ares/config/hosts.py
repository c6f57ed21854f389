"""Where an address leads."""

from __future__ import annotations

from ipaddress import ip_address


def is_here(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone.

    >>> is_here("127.0.0.1"), is_here("localhost"), is_here("api.binance.com")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
