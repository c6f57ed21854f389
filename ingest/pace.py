"""How often something comes, learned from its own past, and from when on its silence is unusual. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MEMORY = 64
"""The mean is that of about so many of the last intervals."""
KNOWN_FROM = 20
"""Intervals seen before the pace is believed."""
MEANS = 20.0
"""If it came at random moments, one interval in five hundred million would be longer than so many means."""
LONGEST = 3.0
"""Markets do not come at random moments, they pause: so many times the longest pause of late is unusual."""


@dataclass(slots=True)
class Pace:
    """The intervals between moments at which something was there; seconds of any clock that only grows."""

    mean_s: float = 0.0
    longest_s: float = 0.0
    seen: int = 0
    last_s: float | None = None

    def saw(self, now_s: float) -> None:
        """It was there at this moment."""
        if self.last_s is not None:
            interval_s = now_s - self.last_s
            self.seen += 1
            self.mean_s += (interval_s - self.mean_s) / min(self.seen, MEMORY)
            self.longest_s = max(interval_s, self.longest_s * (1 - 1 / (MEMORY * MEMORY)))
        self.last_s = now_s

    def pause(self) -> None:
        """What comes next begins anew: the time until then says nothing of the pace."""
        self.last_s = None

    def patience_s(self, shortest_s: float, longest_s: float) -> float:
        """How long a silence is usual, within bounds; the upper one while too little is known."""
        if self.seen < KNOWN_FROM:
            return longest_s
        return min(longest_s, max(shortest_s, MEANS * self.mean_s, LONGEST * self.longest_s))
