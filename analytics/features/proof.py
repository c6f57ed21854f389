"""The proof that no feature and no signal knows the future, and the finding of which future it is where one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.catalog import Definition
from analytics.facts import same
from analytics.features.worlds import (
    COLUMNS,
    HORIZON_MINUTES,
    MISSING,
    Market,
    Mode,
    Pair,
    Seen,
    Values,
    Worlds,
    make,
    minutes,
    values,
)
from ares.clock import MINUTE_NS, isoformat
from ares.store import Database

LEAKS_TOLD_MAX = 1
"""Of so many bars of one view it is found out which future they know; one is as good as a thousand."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A value that is another one where the future is: of which bar, and which rows it looks at.

    `minutes_ahead` counts from the bar's end; `reads` names columns of tables, a table, or nothing that was found.
    """

    view: str
    symbol: str
    ts_ns: int
    mode: Mode
    reads: tuple[str, ...]
    inputs: tuple[str, ...]
    minutes_ahead: int

    def __str__(self) -> str:
        most = minutes_text(self.minutes_ahead)
        how = "is another one" if self.mode == "poisoned" else "is not there, or another one,"
        rows = "are others" if self.mode == "poisoned" else "are not there"
        return (
            f"{self.view} knows the future: its value for {self.symbol} at {isoformat(self.ts_ns)} {how} where "
            f"later rows {rows}. It looks {most} past the bar's end at "
            f"{', '.join(self.reads) or 'rows that are there or not'} (reads {', '.join(self.inputs)})"
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one view: so many cells compared, so many of them not NULL, so many different, some leaks."""

    view: Definition
    cells: int
    known: int
    different: int
    leaks: tuple[Leak, ...]

    @property
    def proved(self) -> bool:
        """Whether something was compared that is not NULL, and nothing differs."""
        return self.different == 0 and self.known > 0


@dataclass(frozen=True, slots=True)
class Cell:
    """A value that differs: number of its world, symbol, bar, and in which kind of world."""

    number: int
    symbol: str
    ts_ns: int
    mode: Mode


@dataclass(slots=True)
class Prover:
    """Proves views on one market in a database that may be thrown away. Raises `StoreUnavailable`, `StoreRejected`."""

    database: Database
    market: Market
    name: str

    async def prove(self, views: Sequence[Definition], base_ns: int, bars: int) -> list[Verdict]:
        """Compute so many bars from `base_ns` on with everything there, and each with nothing or garbage after it."""
        whole = Worlds(f"{self.name}_c", base_ns, 1, "poisoned", "nothing")
        sets: dict[Mode, Worlds] = {
            "truncated": Worlds(f"{self.name}_t", base_ns, bars, "truncated"),
            "poisoned": Worlds(f"{self.name}_p", base_ns, bars, "poisoned"),
        }
        await make(self.database, self.market, [whole, *sets.values()])
        verdicts = []
        for view in views:
            found = await values(
                self.database, view, f"{self.name}_", base_ns, minutes(base_ns, bars + HORIZON_MINUTES)
            )
            verdicts.append(await self._verdict(view, found, whole.world(1), sets))
        return verdicts

    async def _verdict(self, view: Definition, found: Values, whole: str, sets: dict[Mode, Worlds]) -> Verdict:
        truth = {seen: value for seen, value in found.items() if seen.world == whole}
        bars = range(1, sets["poisoned"].count + 1)
        symbols = {seen.symbol for seen in found}
        different: list[Cell] = []
        cells = known = 0
        for number in bars:
            ts_ns = sets["poisoned"].base_ns + (number - 1) * MINUTE_NS
            for symbol in symbols:
                right = truth.get(Seen(whole, symbol, ts_ns), MISSING)
                cells += 1
                known += right[0] is not None
                for mode, worlds in sets.items():
                    if not same(found.get(Seen(worlds.world(number), symbol, ts_ns), MISSING), right):
                        different.append(Cell(number, symbol, ts_ns, mode))
        told = [await self._leak(view, cell) for cell in chosen(different)]
        return Verdict(view, cells, known, len({(c.number, c.symbol) for c in different}), tuple(told))

    async def _leak(self, view: Definition, cell: Cell) -> Leak:
        """Look further: which column's future it is, and how far ahead."""
        cut_ns = cell.ts_ns + MINUTE_NS
        ahead = 1
        further = Worlds(f"{self.name}_a{cell.ts_ns // MINUTE_NS}", cut_ns, HORIZON_MINUTES - 1, cell.mode)
        await make(self.database, self.market, [further])
        truth = (await self._one(view, f"{self.name}_c", cell)).get(f"{self.name}_c1", MISSING)
        found = await self._one(view, further.name, cell)
        for number in range(1, further.count + 1):
            if not same(found.get(further.world(number), MISSING), truth):
                ahead = number + 1
        reads = await self._reads(view, cell, truth) if cell.mode == "poisoned" else ()
        header = view.header()
        return Leak(view.view, cell.symbol, cell.ts_ns, cell.mode, reads, header.inputs, ahead)

    async def _reads(self, view: Definition, cell: Cell, truth: Pair) -> tuple[str, ...]:
        """The columns, or tables, whose later rows alone make it another value."""
        tables = await self._touched(view, cell, truth, list(COLUMNS))
        columns = [f"{table}.{column}" for table in tables for column in COLUMNS[table]]
        touched = await self._touched(view, cell, truth, columns)
        return tuple(touched or tables)

    async def _touched(self, view: Definition, cell: Cell, truth: Pair, names: Sequence[str]) -> list[str]:
        prefix = f"{self.name}_o{cell.ts_ns // MINUTE_NS}_"
        sets = {name: Worlds(f"{prefix}{name}_", cell.ts_ns, 1, "poisoned", name) for name in names}
        await make(self.database, self.market, sets.values())
        found = await self._one(view, prefix, cell)
        return [name for name, worlds in sets.items() if not same(found.get(worlds.world(1), MISSING), truth)]

    async def _one(self, view: Definition, prefix: str, cell: Cell) -> dict[str, Pair]:
        """The value of a cell in all worlds whose names begin so."""
        found = await values(self.database, view, prefix, cell.ts_ns, minutes(cell.ts_ns, HORIZON_MINUTES))
        return {
            seen.world: value for seen, value in found.items() if (seen.symbol, seen.ts_ns) == (cell.symbol, cell.ts_ns)
        }


def chosen(different: Sequence[Cell]) -> list[Cell]:
    """Which cells are looked into: the poisoned ones first, for they tell which column it was."""
    bars: dict[tuple[int, str], Cell] = {}
    for cell in sorted(different, key=lambda c: (c.mode != "poisoned", c.number, c.symbol)):
        bars.setdefault((cell.number, cell.symbol), cell)
    return list(bars.values())[:LEAKS_TOLD_MAX]


def minutes_text(count: int) -> str:
    """How far ahead, in words."""
    most = "at least " if count >= HORIZON_MINUTES else ""
    return f"{most}{count} minute{'' if count == 1 else 's'}"
