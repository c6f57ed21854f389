"""A missing range as a value: opened, perhaps bounded later, closed in the end; every step is a new revision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ares.model.row import Row, UtcNs
from ingest.feed import Channel

Loss = Literal["disconnect", "silence", "refused", "id_jump", "checksum", "crossed", "shed"]
"""Why something of the stream did not come, or is not believed."""
Discovery = Literal["restart", "unrecorded", "backfill", "rejected", "import", "replay"]
"""How a hole was found later."""
Cause = Loss | Discovery
Status = Literal["open", "healed", "lost"]
Healer = Literal["", "rest", "stream", "import", "replay", "nothing_missed"]
Way = Literal["import", "replay"]
"""How what was not recorded came into the store: the cause of holes around it, and what healed those it filled."""


@dataclass(frozen=True, slots=True)
class Where:
    """A channel of a symbol at a venue."""

    venue: str
    symbol: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class Gap:
    """A range that is missing from a channel of a symbol.

    `started_at_ns` and `ended_at_ns` are the event times of what came last before and first after the hole, so they
    enclose everything that is missing; `ended_at_ns` and `last_seq` are None while the end is not known. Quotes and
    books have no ids, hence no `first_seq`, and neither do trades whose ids have holes of their own.
    """

    venue: str
    symbol: str
    channel: Channel
    cause: Cause
    gap_id: str
    started_at_ns: int
    ended_at_ns: int | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    status: Status = "open"
    healed_by: Healer = ""
    missing: int | None = None
    revision: int = 0

    @classmethod
    def opened(cls, where: Where, cause: Cause, now_ns: int, started_at_ns: int, first_seq: int | None = None) -> Gap:
        """A gap whose end is not known yet. Its id says when it was noticed and where it starts."""
        start = started_at_ns if first_seq is None else first_seq
        gap_id = f"{where.venue}:{where.symbol}:{where.channel}:{now_ns}:{start}"
        return cls(where.venue, where.symbol, where.channel, cause, gap_id, started_at_ns, first_seq=first_seq)

    def bounded(self, last_seq: int, ended_at_ns: int) -> Gap:
        """The end became known."""
        assert self.first_seq is not None
        ended_at_ns = max(ended_at_ns, self.started_at_ns)
        missing = last_seq - self.first_seq + 1
        return replace(self, last_seq=last_seq, ended_at_ns=ended_at_ns, missing=missing, revision=self.revision + 1)

    def until(self, ended_at_ns: int) -> Gap:
        """The end became known, where there are no ids that could be counted."""
        return replace(self, ended_at_ns=max(ended_at_ns, self.started_at_ns), revision=self.revision + 1)

    def closed(
        self, status: Literal["healed", "lost"], healed_by: Healer, ended_at_ns: int, missing: int | None
    ) -> Gap:
        """It is over: everything is there, or what is not will never come."""
        ended_at_ns = max(ended_at_ns, self.started_at_ns)
        return replace(
            self,
            status=status,
            healed_by=healed_by,
            ended_at_ns=ended_at_ns,
            missing=missing,
            revision=self.revision + 1,
        )

    def to_row(self, ts_ns: int) -> Row:
        """This revision, written at `ts_ns`."""
        symbols = {"venue": self.venue, "symbol": self.symbol, "channel": self.channel}
        symbols |= {"status": self.status, "cause": self.cause}
        if self.healed_by:
            symbols["healed_by"] = self.healed_by
        return Row(
            "gaps",
            ts_ns,
            symbols,
            {
                "gap_id": self.gap_id,
                "revision": self.revision,
                "started_at": UtcNs(self.started_at_ns),
                "ended_at": None if self.ended_at_ns is None else UtcNs(self.ended_at_ns),
                "first_seq": self.first_seq,
                "last_seq": self.last_seq,
                "missing": self.missing,
            },
        )


def refused_row(where: Where, seq: int, ts_ns: int, now_ns: int, *, dense_ids: bool = True) -> Row:
    """The store refused this trade for good: it is missing, and that is recorded."""
    if dense_ids:
        gap = Gap.opened(where, "rejected", now_ns, ts_ns, seq).bounded(seq, ts_ns)
    else:
        gap = Gap.opened(where, "rejected", now_ns, ts_ns)
        gap = replace(gap, gap_id=f"{gap.gap_id}:{seq}").until(ts_ns)
    return gap.closed("lost", "", ts_ns, 1).to_row(now_ns)
