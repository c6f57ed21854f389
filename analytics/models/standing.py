"""Which versions of a model are asked now: its champion, whose score counts, and challengers, who are only compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ares.store import Database, Record, load_queries
from ares.store.pool import as_float, as_int, as_str

QUERIES = load_queries("analytics", "queries/models.sql")


@dataclass(frozen=True, slots=True)
class Entry:
    """A version that was fitted, the digest of its file, how it did out of sample, what it learnt from and by."""

    version: str
    sha256: str
    auc: float
    log_loss: float
    dataset: str | None
    settings: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The versions of one model that are in use; without a champion nothing is scored."""

    champion: Entry | None = None
    challengers: tuple[Entry, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them, the champion first."""
        return self.challengers if self.champion is None else (self.champion, *self.challengers)


class Standings(Protocol):
    """Knows who stands where. Raises `StoreUnavailable`, `StoreRejected`."""

    async def standing(self, model: str) -> Standing:
        """The versions of a model that are in use now."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedStages:
    """As the steps of versions say (`model_events`); of a model fitted by a release that knew none, the newest one."""

    database: Database

    async def standing(self, model: str) -> Standing:
        asked = {"model": model}
        champion = await self.database.fetch_one(QUERIES["champion"], asked)
        if champion is None and await self._unstaged(model):
            champion = await self.database.fetch_one(QUERIES["newest_model"], asked)
        if champion is None:
            return Standing()
        challenger = await self.database.fetch_one(QUERIES["challenger"], asked)
        return Standing(entry_of(champion), () if challenger is None else (entry_of(challenger),))

    async def _unstaged(self, model: str) -> bool:
        row = await self.database.fetch_one(QUERIES["staged"], {"model": model})
        return row is None or as_int(row["steps"]) == 0


def entry_of(row: Record) -> Entry:
    """A version from its row of `training_runs`."""
    dataset, settings = row["dataset"], row["settings"]
    return Entry(
        as_str(row["version"]),
        as_str(row["artifact_sha256"]),
        as_float(row["auc"]),
        as_float(row["log_loss"]),
        None if dataset is None else as_str(dataset),
        None if settings is None else as_str(settings),
    )
