"""Where a webhook may be: nowhere that only this machine, or the network's own care, should reach."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from socket import AddressFamily
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from ares.config.hosts import is_here
from ares.errors import OperatingError, UsageError

URL_MAX = 2_000


class ForbiddenAddress(OperatingError):
    """A name leads to where nothing is to be sent."""

    code = "forbidden_address"


def require_address(url: str, *, dev: bool) -> None:
    """Raises `UsageError` for anything but https; in the profile dev this machine by http too.

    The message names the host alone: what stands behind it may be the secret.
    """
    try:
        address = urlsplit(url)
        host, _ = address.hostname or "", address.port
    except ValueError:
        raise UsageError("url: is no address. Example: https://example.org/hook") from None
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"url: at most {URL_MAX} printable characters of ASCII are expected")
    if address.username is not None or address.password is not None:
        raise UsageError(f"url of {host!r}: has a name or password in it. Leave it out: what is sent is signed")
    if dev and is_here(host) and address.scheme == "http":
        return
    if address.scheme != "https" or not host:
        raise UsageError(f"url of {host!r}: https is expected. Example: https://example.org/hook")
    if host == "localhost" or _is_forbidden(host):
        raise UsageError(f"url of {host!r}: leads to this machine or its link. Name a host of a network")


class CarefulResolver(AbstractResolver):
    """Looks names up and leaves out this machine's own and its link's addresses, whoever the name belongs to.

    A connection goes to what was looked up here, so that no second look can lead elsewhere.
    """

    def __init__(self, *, dev: bool) -> None:
        self._dev = dev
        self._names = ThreadedResolver(asyncio.get_running_loop())

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        """Raises `ForbiddenAddress`, `OSError`."""
        found = await self._names.resolve(host, port, family)
        if self._dev and is_here(host):
            return found
        allowed = [each for each in found if not _is_forbidden(each["host"])]
        if not allowed:
            raise ForbiddenAddress("its name leads to this machine or its link")
        return allowed

    async def close(self) -> None:
        await self._names.close()


def _is_forbidden(host: str) -> bool:
    """Whether an address is not to be called. A name is judged once it is looked up."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    return address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
