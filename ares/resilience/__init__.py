"""The one guard for calls that leave the process (deadline, breaker, retry if idempotent, metrics), and clean ends."""

from ares.resilience.backoff import Backoff
from ares.resilience.closing import to_the_end
from ares.resilience.guard import Guard, GuardPolicy

__all__ = ["Backoff", "Guard", "GuardPolicy", "to_the_end"]
