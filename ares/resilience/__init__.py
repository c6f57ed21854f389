"""The one guard for calls that leave the process (deadline, breaker, retry if idempotent, metrics), the one cache, what
a venue lets us ask of it, and clean ends.
"""

from ares.resilience.backoff import Backoff
from ares.resilience.cache import Cache, Seen
from ares.resilience.closing import to_the_end
from ares.resilience.guard import Guard, GuardPolicy
from ares.resilience.rate import Rate, RateBudget, Use

__all__ = ["Backoff", "Cache", "Guard", "GuardPolicy", "Rate", "RateBudget", "Seen", "Use", "to_the_end"]
