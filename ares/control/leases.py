"""Leases: who may act under a name and until when, for whom one is kept, and a fence against who acted before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import ColumnElement, Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from ares.clock import NANOS_PER_SECOND
from ares.control.schema import LEASES
from ares.control.types import Lease
from ares.errors import LeaseLost

LET_GO = 0
"""`expires_at_ns` of a lease whose holder let go of it: nobody's, however early it is by anybody's clock."""
RESERVED = "/reserved"
"""Behind a lease's name, the name of the row that says for whom it is kept, in `holder`, and until when."""


@dataclass(slots=True)
class Fence:
    """The lease under which a process writes; None before it ever had one, and nothing is held out."""

    lease: Lease | None = None

    def require(self, connection: Connection) -> None:
        """Raises `LeaseLost` if somebody has taken the lease over, or it was let go, whatever the clocks say.

        Until the transaction ends nobody can take it over.
        """
        if self.lease is None:
            return
        held = _stands(connection, self.lease.name, "share")
        if held is None or (held.holder, held.token) != (self.lease.holder, self.lease.token):
            raise LeaseLost(f"lease {self.lease.name} was taken over: nothing more is written under it")
        if held.expires_at_ns == LET_GO:
            raise LeaseLost(f"lease {self.lease.name} was let go: nothing more is written under it")


def acquire(connection: Connection, wanted: Lease, now_ns: int, claim: str) -> Lease | None:
    """The lease if it is free, run out or ours already, and not kept for somebody else than `claim`."""
    held = _stands(connection, wanted.name, "change")
    if held is not None and held.expires_at_ns > now_ns and held.holder != wanted.holder:
        return None
    kept = reservation(connection, wanted.name)
    if kept is not None and kept.expires_at_ns > now_ns and kept.holder != claim:
        return None
    lease = replace(wanted, token=1 if held is None else held.token + 1)
    if held is not None:
        connection.execute(update(LEASES).where(LEASES.c.name == lease.name).values(_as_dict(lease)))
        return lease
    try:
        connection.execute(insert(LEASES), _as_dict(lease))
    except IntegrityError:
        return None
    return lease


def renew(connection: Connection, lease: Lease, now_ns: int, ttl_s: float) -> Lease:
    """The lease, extended. Raises `LeaseLost` if it was taken over or has run out."""
    longer = replace(lease, expires_at_ns=until(now_ns, ttl_s))
    changed = update(LEASES).where(_ours(lease), LEASES.c.expires_at_ns > now_ns)
    if connection.execute(changed.values(expires_at_ns=longer.expires_at_ns)).rowcount == 0:
        raise LeaseLost(f"lease {lease.name} is no longer held by {lease.holder}")
    return longer


def let_go(connection: Connection, lease: Lease) -> None:
    """End a lease of ours; one that was lost already is none of our business."""
    connection.execute(update(LEASES).where(_ours(lease)).values(expires_at_ns=LET_GO))


def reserve(connection: Connection, name: str, claim: str, until_ns: int) -> None:
    """Keep a lease for who claims it by this word, once it is free; in place of any reservation before."""
    kept = Lease(name + RESERVED, claim, 1, until_ns)
    before = _stands(connection, kept.name, "change")
    if before is None:
        connection.execute(insert(LEASES), _as_dict(kept))
    else:
        counted = replace(kept, token=before.token + 1)
        connection.execute(update(LEASES).where(LEASES.c.name == kept.name).values(_as_dict(counted)))


def current(connection: Connection, name: str) -> Lease | None:
    """A lease as it stands, run out or not; None if nobody ever had it."""
    return _stands(connection, name, "look")


def reservation(connection: Connection, name: str) -> Lease | None:
    """For whom a lease was last kept (`holder`), and until when."""
    return current(connection, name + RESERVED)


def until(now_ns: int, ttl_s: float) -> int:
    """When what begins now and lasts for `ttl_s` ends."""
    return now_ns + round(ttl_s * NANOS_PER_SECOND)


def _stands(connection: Connection, name: str, lock: Literal["look", "share", "change"]) -> Lease | None:
    """Locked, where the database locks rows, so that nobody changes it (`share`), or reads it to change it."""
    query = select(LEASES.c.name, LEASES.c.holder, LEASES.c.token, LEASES.c.expires_at_ns).where(LEASES.c.name == name)
    found = connection.execute(query if lock == "look" else query.with_for_update(read=lock == "share")).one_or_none()
    return None if found is None else Lease(found.name, found.holder, found.token, found.expires_at_ns)


def _ours(lease: Lease) -> ColumnElement[bool]:
    return (LEASES.c.name == lease.name) & (LEASES.c.holder == lease.holder) & (LEASES.c.token == lease.token)


def _as_dict(lease: Lease) -> dict[str, str | int]:
    return {
        "name": lease.name,
        "holder": lease.holder,
        "token": lease.token,
        "expires_at_ns": lease.expires_at_ns,
    }
