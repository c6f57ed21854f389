"""A lease of the control store for those who wait for it."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid

from ares.clock import Clock
from ares.control import ControlStore, Lease


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
