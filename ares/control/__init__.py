"""The one transactional store: journal streams, leases, job slots, and the outbox that QuestDB is mirrored from."""

from ares.control.audit import AuditEntry
from ares.control.contention import once_it_fits, read_on, until_it_fits
from ares.control.leases import Fence
from ares.control.store import ControlStore
from ares.control.types import DeadLetter, Json, Lease, NewEvent, StoredEvent

__all__ = [
    "AuditEntry",
    "ControlStore",
    "DeadLetter",
    "Fence",
    "Json",
    "Lease",
    "NewEvent",
    "StoredEvent",
    "once_it_fits",
    "read_on",
    "until_it_fits",
]
