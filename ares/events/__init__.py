"""What happened, as typed and versioned events: their registry, subscriptions, and projections proved by replay."""

from ares.events.registry import Event, EventRegistry
from ares.events.types import EventType

__all__ = ["Event", "EventRegistry", "EventType"]
