"""Whether a silent stream keeps something to itself, told by somebody else's view of the same book. Pure."""

from __future__ import annotations

from dataclasses import dataclass

LOOKS = 3
"""So often in a row the other view must say the same before a connection is given up for it."""

Direction = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Top:
    """Best bid and ask; `last_id` is the venue's number of the newest change, where it can be compared."""

    bid: float
    ask: float
    last_id: int | None = None


@dataclass(slots=True)
class Suspicion:
    """What several looks at a stream that is silent say together; one look says nothing, for views differ in age.

    Ours is stale if it stands still while, look after look, the other view is ahead of it by its id, or differs from
    it in the same direction. A market that is quiet looks the same from both sides.
    """

    ours: Top | None = None
    evidence: Direction | None = None
    looks: int = 0

    def grows(self, ours: Top | None, theirs: Top | None) -> bool:
        """Whether a look leaves the suspicion in place."""
        evidence = evidence_of(ours, theirs)
        first = self.looks == 0
        if evidence is None or not (first or (ours == self.ours and evidence == self.evidence)):
            return False
        self.ours, self.evidence = ours, evidence
        self.looks += 1
        return True

    @property
    def is_certain(self) -> bool:
        """Whether it has been confirmed often enough."""
        return self.looks >= LOOKS


def evidence_of(ours: Top | None, theirs: Top | None) -> Direction | None:
    """In which direction the other view differs; None if it does not, or nothing can be compared.

    >>> evidence_of(Top(99.0, 101.0), Top(98.0, 101.0))
    (-1, 0)
    """
    if ours is None or theirs is None:
        return None
    if ours.last_id is not None and theirs.last_id is not None:
        return (1, 1) if theirs.last_id > ours.last_id else None
    direction = (sign(theirs.bid - ours.bid), sign(theirs.ask - ours.ask))
    return direction if direction != (0, 0) else None


def sign(number: float) -> int:
    """-1, 0 or 1."""
    return (number > 0) - (number < 0)
