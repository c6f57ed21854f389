"""Which snapshots a restore takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ares.clock import isoformat
from ares.errors import UnknownName, UsageError
from backup.journal.coverage import Coverage
from backup.journal.reach import Reach
from backup.repository import JOURNAL, MARKET
from backup.told import Snapshot


@dataclass(frozen=True, slots=True)
class Choice:
    """The two halves of one state, and what of the control store the market's is sure to have.

    `until_ns`: the journal goes on past it, and is to be stopped there.
    """

    market: Snapshot
    journal: Snapshot | None
    coverage: Coverage
    until_ns: int | None = None

    @property
    def market_to_ns(self) -> int | None:
        """All market data that was acknowledged before is in it; None: nobody can tell."""
        return self.coverage.at_ns if self.coverage.known else None

    @property
    def journal_to_ns(self) -> int | None:
        """All that was committed before is in it; None: there is none."""
        return None if self.journal is None else self.until_ns or _copied_ns(self.journal)


def choose(snapshots: Sequence[Snapshot], at_ns: int, wanted: str | None = None) -> Choice:
    """The newest journal up to a moment, and the newest market backup that is not younger than it, or the one `wanted`.

    So QuestDB never knows of orders that the journal does not: what it lacks the journal hands out again. Only if all
    market backups are younger than the journal, or of a history that a restore ended, the newest of them is taken.
    A journal that goes on past the moment and can be stopped there comes before one that ends earlier. Of a history
    that a restore had ended by then nothing is taken that is later, and nothing at all once the new one has a journal.
    Raises `UsageError` if there is none, `UnknownName`.
    """
    markets = [each for each in snapshots if MARKET in each.tags and (each.ts_ns <= at_ns or wanted)]
    if not markets:
        oldest = min((each.ts_ns for each in snapshots if MARKET in each.tags), default=None)
        there = "there is none at all: `ares backup run` makes one" if oldest is None else _from(oldest)
        raise UsageError(f"at = {isoformat(at_ns)!r}: no market backup is that old; {there}")
    journal, until_ns = _journal([each for each in snapshots if JOURNAL in each.tags], at_ns)
    fitting = [each for each in markets if journal is not None and _fits(each, journal, until_ns)] or markets
    if wanted is None:
        market = max(fitting, key=lambda each: each.ts_ns)
    else:
        market = next((each for each in markets if each.snapshot_id == wanted), None) or _unknown(wanted, markets)
    return Choice(market, journal, _sure(market, fitting), until_ns)


def _journal(journals: Sequence[Snapshot], at_ns: int) -> tuple[Snapshot | None, int | None]:
    """That of a moment, and where to stop it; None: it ends by itself. A history ends where the next begins."""
    begins = {_line(each) for each in journals}
    until = {line: min((at_ns, *(next_ns for next_ns in begins if next_ns > line))) for line in begins}
    possible = [each for each in journals if each.ts_ns <= until[_line(each)] or _has(each, until[_line(each)])]
    line = max(map(_line, possible), default=0)
    possible = [each for each in possible if _line(each) == line]
    beyond = [each for each in possible if _has(each, until[line])]
    if beyond:
        return min(beyond, key=lambda each: each.ts_ns), until[line]
    return max(possible, key=lambda each: each.ts_ns, default=None), None


def _has(journal: Snapshot, at_ns: int) -> bool:
    reach = Reach.of(journal.tags)
    return reach is not None and reach.has(at_ns)


def _line(snapshot: Snapshot) -> int:
    return Coverage.of(snapshot.tags).line


def _fits(market: Snapshot, journal: Snapshot, until_ns: int | None) -> bool:
    """Its checkpoint was made before the journal was copied or is stopped, and in the same history."""
    here, there = Coverage.of(market.tags), Coverage.of(journal.tags)
    same = here.line == there.line or (here.line < there.line and market.ts_ns <= there.since_ns)
    return same and market.ts_ns <= (until_ns or _copied_ns(journal))


def _sure(market: Snapshot, others: Sequence[Snapshot]) -> Coverage:
    """What it says it has. Where it could not tell, it has at least what an older one had that could."""
    until = sorted((each for each in [market, *others] if each.ts_ns <= market.ts_ns), key=lambda each: -each.ts_ns)
    said = (Coverage.of(each.tags) for each in until)
    return next((coverage for coverage in said if coverage.known), Coverage())


def _copied_ns(journal: Snapshot) -> int:
    return Coverage.of(journal.tags).at_ns or journal.ts_ns


def _unknown(wanted: str, markets: Sequence[Snapshot]) -> Snapshot:
    raise UnknownName("market backup", wanted, [each.snapshot_id for each in markets])


def _from(oldest_ns: int) -> str:
    return f"the oldest is of {isoformat(oldest_ns)}"
