"""Services by their newest beats: who runs, and who has fallen silent."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from api.console.tables import Col, table
from api.console.view import View
from ares.clock import NANOS_PER_SECOND
from ares.store import Record
from ares.store.pool import as_int

BEATS_MISSED = 4


async def services_now(view: View, columns: Sequence[Col]) -> Markup:
    """Every service of the last day."""
    rows = await view.rows("services", 200)
    silent_s = view.house.parts.config().monitoring.heartbeat_s * BEATS_MISSED
    now_ns = view.house.parts.clock.now_ns()
    told = [beaten(row, now_ns, silent_s) for row in rows]
    return table("Services", columns, told, view.reader, empty="Nothing has run here in the last day.")


def beaten(row: Record, now_ns: int, silent_s: float) -> Record:
    """A service with the age of its beat; without one for longer than `silent_s` it is silent, unless it stopped.

    >>> dict(beaten({"ts": 0, "state": "ready"}, 30 * 10**9, 20.0))
    {'ts': 0, 'state': 'silent', 'age_s': 30.0}
    """
    age_s = max(0.0, (now_ns - as_int(row["ts"])) / NANOS_PER_SECOND)
    silent = age_s > silent_s and row["state"] != "stopped"
    return {**row, "state": "silent" if silent else row["state"], "age_s": age_s}
