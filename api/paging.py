"""Pages: where the next one begins, as a text that callers hand back and need not understand. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from ares.errors import UsageError
from ares.store import Record
from ares.store.pool import as_int

SKIP_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Rows of `until_ns` (UTC; 0: of a collection without moments) and before, but for the first `skip` of them."""

    until_ns: int
    skip: int = 0

    def text(self) -> str:
        """The cursor."""
        return base64.urlsafe_b64encode(orjson.dumps([self.until_ns, self.skip])).rstrip(b"=").decode()

    @classmethod
    def read(cls, cursor: str) -> Place:
        """Raises `UsageError` for what no page gave out."""
        try:
            until_ns, skip = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        except (ValueError, TypeError, binascii.Error):
            raise _foreign(cursor) from None
        whole = all(isinstance(each, int) and not isinstance(each, bool) for each in (until_ns, skip))
        if not whole or not 0 <= until_ns < 2**63 or not 0 <= skip <= SKIP_MAX:
            raise _foreign(cursor)
        return cls(until_ns, skip)


def following(place: Place, rows: Sequence[Record], limit: int, *, timed: bool) -> Place | None:
    """Where the page after this one begins; None if this one was not full, so that nothing follows.

    Rows of one moment may stand on both sides of the border: those of it that were given out are skipped.
    """
    if len(rows) < limit:
        return None
    if not timed:
        return Place(0, place.skip + len(rows))
    last_ns = as_int(rows[-1]["ts"])
    alike = sum(as_int(row["ts"]) == last_ns for row in rows)
    before = place.skip if last_ns == place.until_ns else 0
    return Place(last_ns, before + alike)


def _foreign(cursor: str) -> UsageError:
    return UsageError(f"cursor = {cursor[:80]!r}: not one of ours. Take `next` of the page before")
