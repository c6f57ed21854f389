"""A lease of the control store for those who wait for it, and for those who keep it."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid

from ares.clock import Clock
from ares.control import ControlStore, Lease
from ares.errors import ControlUnavailable

RENEWALS = 3
"""So often a lease is renewed in the time it lasts."""


async def awaited(
    control: ControlStore, clock: Clock, name: str, *, ttl_s: float, wait_s_max: float, poll_s: float
) -> Lease | None:
    """The lease, for a holder of its own; None if somebody else holds it for longer than `wait_s_max`."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
    until_s = clock.monotonic_s() + wait_s_max
    while (lease := await asyncio.to_thread(control.acquire_lease, name, holder, clock.now_ns(), ttl_s)) is None:
        if clock.monotonic_s() > until_s:
            return None
        await clock.sleep(poll_s)
    return lease


async def kept(control: ControlStore, clock: Clock, lease: Lease, ttl_s: float) -> None:
    """Renew a lease until cancelled; a store that is away does no harm before the lease has run out.

    Raises `LeaseLost`; `ControlUnavailable` once it has run out meanwhile.
    """
    while True:
        await clock.sleep(ttl_s / RENEWALS)
        try:
            lease = await asyncio.to_thread(control.renew_lease, lease, clock.now_ns(), ttl_s)
        except ControlUnavailable:
            if clock.now_ns() >= lease.expires_at_ns:
                raise
