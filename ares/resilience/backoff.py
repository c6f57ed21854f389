"""How long to wait before trying again."""

from __future__ import annotations

import random


class Backoff:
    """Exponential with full jitter: each wait is drawn from [s_min, ceiling], the ceiling doubling up to `s_max`.

    Jitter keeps many clients of one venue from coming back in step (the "full jitter" of AWS' architecture blog,
    "Exponential Backoff and Jitter").
    """

    def __init__(self, s_min: float, s_max: float, rng: random.Random) -> None:
        assert 0 < s_min <= s_max
        self._s_min = s_min
        self._s_max = s_max
        self._rng = rng
        self._ceiling_s = s_min

    def next_wait_s(self) -> float:
        """Seconds to wait now; the next answer will tend to be longer."""
        wait_s = self._rng.uniform(self._s_min, self._ceiling_s)
        self._ceiling_s = min(self._s_max, self._ceiling_s * 2)
        return wait_s

    def reset(self) -> None:
        """It worked: start again from the shortest wait."""
        self._ceiling_s = self._s_min
