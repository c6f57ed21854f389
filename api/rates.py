"""How often somebody may ask: a bucket of tokens for each user and each address, refilled by the second. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from cachetools import LRUCache

from ares.clock import Clock

RATE = "rate"
"""Where in a request's state it stands what its user's bucket has left: every answer tells."""
BUCKETS_MAX = 50_000
"""So many callers are remembered; who is forgotten has a full bucket again."""
SECONDS_PER_MINUTE = 60.0


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What a request found: whether it may pass, what is left, and after how many seconds the next one may come."""

    passes: bool
    limit: int
    left: int
    wait_s: int

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.wait_s),
        }


@dataclass(slots=True)
class Rates:
    """Buckets of one kind of caller. `per_minute` is asked each time: it may be set while running."""

    clock: Clock
    per_minute: Callable[[], int]
    _buckets: LRUCache[str, _Bucket] = field(default_factory=lambda: LRUCache(BUCKETS_MAX))

    def spend(self, caller: str, cost: float = 1.0) -> Spent:
        """Take a request's cost out of its caller's bucket; one that is too dear for what is left takes nothing."""
        limit, now_s = self.per_minute(), self.clock.monotonic_s()
        per_s = limit / SECONDS_PER_MINUTE
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(float(limit), now_s)
        bucket.left = min(float(limit), bucket.left + (now_s - bucket.at_s) * per_s)
        bucket.at_s = now_s
        cost = min(cost, float(limit))
        passes = bucket.left >= cost
        if passes:
            bucket.left -= cost
        missing = 0.0 if passes else cost - bucket.left
        return Spent(passes, limit, int(bucket.left), ceil(missing / per_s))
