"""The one transactional store: journal streams, leases, job slots, and the outbox that QuestDB is mirrored from."""

from ares.control.store import ControlStore
from ares.control.types import Json, Lease, NewEvent, StoredEvent

__all__ = ["ControlStore", "Json", "Lease", "NewEvent", "StoredEvent"]
