"""One leader an account: who does not hold the lease, and long enough, sends nothing and writes no leader's row."""

from __future__ import annotations

import asyncio

from ares.clock import NANOS_PER_SECOND, Clock
from ares.control import ControlStore, Fence, Lease
from ares.errors import ConfigError, LeaseLost, UsageError
from ares.telemetry import get_logger, metrics
from ares.venues.ccxt_settings import RECV_WINDOW_MS
from trader.handover.log import KEPT_S, holder_name, lease_name

SKEW_S = 0.5
"""How far the clocks of two leaders and of the venue may differ."""
SEND_MARGIN_S = RECV_WINDOW_MS / 1000 + SKEW_S
"""A request may be executed until its recvWindow ends; by then the lease must still be ours."""
RENEWALS_PER_LEASE = 5
LOOK_S = 0.25
"""How often who stands by looks whether the lease is free."""
BLUE = "blue"
"""The colour of a trader that is given none."""

log = get_logger(__name__)


class NotLeading(UsageError):
    """This process may not send orders: it waits for the lease, or has not reconciled yet."""

    code = "not_leading"


class Leadership:
    """The lease `trader/<account>`. A successor gets it after it ran out, when nothing of ours can still arrive; or at
    once, of whoever let it go because nothing of theirs is on its way.

    `fence` holds out of the journal who led before. `color` tells two traders of an account apart.
    """

    def __init__(
        self, control: ControlStore, account: str, holder: str, clock: Clock, ttl_s: float, *, color: str = BLUE
    ) -> None:
        self._control = control
        self._name = lease_name(account)
        self._holder = holder_name(color, holder)
        self._clock = clock
        self._ttl_s = ttl_s
        self._renew_s = ttl_s / RENEWALS_PER_LEASE
        if ttl_s - 2 * self._renew_s <= SEND_MARGIN_S:
            need_s = SEND_MARGIN_S / (1 - 2 / RENEWALS_PER_LEASE)
            raise ConfigError(
                "trading.lease_s", ttl_s, "too short to send anything within it", f"Make it longer than {need_s:.1f}"
            )
        self.color = color
        self.fence = Fence()
        self._lease: Lease | None = None
        self._sends = True

    @property
    def lease(self) -> Lease | None:
        """What we hold, as far as we know."""
        return self._lease

    @property
    def fencing(self) -> int:
        """The number of our lease, which grows with every new holder; 0 without one."""
        return 0 if self._lease is None else self._lease.token

    async def wait(self) -> None:
        """Return once the lease is ours."""
        waiting = False
        while True:
            now_ns = self._clock.now_ns()
            lease = await asyncio.to_thread(self._taken, now_ns)
            if lease is not None:
                self._hold(lease)
                metrics.TRADER_LEADER.set(1)
                log.info("lease_acquired", lease=self._name, fencing=lease.token)
                return
            if not waiting:
                log.info("lease_awaited", lease=self._name)
                waiting = True
            await self._clock.sleep(LOOK_S)

    async def keep(self) -> None:
        """Renew until cancelled. Raises `LeaseLost` or `ControlUnavailable`; then nothing may be sent any more."""
        while True:
            await self._clock.sleep(self._renew_s)
            await self.renew()

    async def renew(self) -> None:
        """Extend the lease by its whole length from now."""
        if self.lease is None:
            raise LeaseLost(f"lease {self._name} is not held")
        try:
            now_ns = self._clock.now_ns()
            self._hold(await asyncio.to_thread(self._control.renew_lease, self.lease, now_ns, self._ttl_s))
        except LeaseLost:
            self.drop()
            raise

    def may_send(self) -> bool:
        """Whether a request sent now ends, by its recvWindow, before the lease does."""
        if self.lease is None or not self._sends:
            return False
        return self._clock.now_ns() + round(SEND_MARGIN_S * NANOS_PER_SECOND) < self.lease.expires_at_ns

    def send_no_more(self) -> None:
        """From now on nothing may be sent under this lease, which is ours for a while yet."""
        self._sends = False

    def require(self, command: str, *, is_ready: bool) -> None:
        """Raises `NotLeading` unless a command that sends something can be carried out here and now."""
        if not (is_ready and self.may_send()):
            raise NotLeading(f"{command} = now: this trader does not lead, or has not reconciled. See its status")

    def drop(self) -> None:
        """Stop believing in the lease."""
        self._lease = None
        metrics.TRADER_LEADER.set(0)

    async def release(self, keep_for: str = "") -> None:
        """Let a successor in at once; for some seconds only the trader of the colour `keep_for`, if one is named."""
        if self.lease is not None:
            lease = self.lease
            self.drop()
            until_ns = self._clock.now_ns() + round(KEPT_S * NANOS_PER_SECOND)
            await asyncio.to_thread(self._control.release_lease, lease, keep_for, until_ns)

    def _taken(self, now_ns: int) -> Lease | None:
        """The lease, if nobody else holds it: who stands by only looks, and keeps nobody from writing."""
        held, _ = self._control.lease(self._name)
        if held is not None and held.expires_at_ns > now_ns and held.holder != self._holder:
            return None
        return self._control.acquire_lease(self._name, self._holder, now_ns, self._ttl_s, self.color)

    def _hold(self, lease: Lease) -> None:
        self._lease = self.fence.lease = lease
