"""The one guard for calls that leave the process: deadline, circuit breaker, retry only if idempotent, metrics."""

from ares.resilience.backoff import Backoff
from ares.resilience.guard import Guard, GuardPolicy

__all__ = ["Backoff", "Guard", "GuardPolicy"]
