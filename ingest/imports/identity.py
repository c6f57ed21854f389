"""Keeps a trade from being there twice: once with the venue's id, once with one that was derived."""

from __future__ import annotations

from dataclasses import dataclass

from ares.clock import isoformat, to_datetime
from ares.errors import UsageError
from ares.model.market import TradeRun
from ares.store import Database, Param
from ares.store.pool import as_int
from ingest.imports.account import QUERIES
from ingest.imports.derived import is_derived
from ingest.imports.judging import Target


@dataclass(slots=True)
class Identity:
    """Which ids the stored trades of a symbol have. Raises `StoreUnavailable`, `StoreRejected`."""

    database: Database
    target: Target
    derived_ns: tuple[int, int] | None = None

    async def prepare(self) -> None:
        """Learn between which times (UTC ns) trades with derived ids are stored."""
        self.derived_ns = await self._span("derived", {})

    async def check(self, run: TradeRun) -> None:
        """Raises `UsageError` where trades of the same time are stored with ids of the other kind."""
        first_ns, last_ns = min(run.times_ns), max(run.times_ns)
        if is_derived(run.seqs[0]):
            params: dict[str, Param] = {"from": to_datetime(first_ns), "to": to_datetime(last_ns)}
            there = await self._span("numbered", params)
            if there is not None:
                raise UsageError(
                    f"from {isoformat(there[0])} to {isoformat(there[1])} trades are stored with the venue's ids; "
                    "those without would be there twice. Say what the id is (--map trade_id=...), or end before: --to"
                )
        elif self.derived_ns is not None and first_ns <= self.derived_ns[1] and last_ns >= self.derived_ns[0]:
            raise UsageError(
                f"from {isoformat(self.derived_ns[0])} to {isoformat(self.derived_ns[1])} trades are stored that came "
                "without ids; those with ids would be there twice. Import what lies outside of that"
            )

    async def _span(self, query: str, params: dict[str, Param]) -> tuple[int, int] | None:
        whose: dict[str, Param] = {"venue": self.target.venue, "symbol": self.target.symbol}
        found = await self.database.fetch_one(QUERIES[query], {**whose, **params})
        if found is None or found["first_ns"] is None:
            return None
        return as_int(found["first_ns"]), as_int(found["last_ns"])
