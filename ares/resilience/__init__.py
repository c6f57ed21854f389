"""The one guard for calls that leave the process (deadline, breaker, retry if idempotent, metrics), the one cache, and
clean ends.
"""

from ares.resilience.backoff import Backoff
from ares.resilience.cache import Cache, Seen
from ares.resilience.closing import to_the_end
from ares.resilience.guard import Guard, GuardPolicy

__all__ = ["Backoff", "Cache", "Guard", "GuardPolicy", "Seen", "to_the_end"]
