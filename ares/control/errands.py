"""What people asked for that takes long: who asked, who carries it out, and what became of it.

An errand is begun once. Steps are only added, so that a second copy of the store has them; who carries one out holds it
for a while and says so again and again. One whose runner fell silent is lost: nobody knows how far it came, so nobody
begins it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import orjson
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import Row as SqlRow

from ares.clock import NANOS_PER_SECOND
from ares.control.schema import ERRAND_STEPS, ERRANDS
from ares.control.second_copy import Cells, noted
from ares.control.store import ControlStore, one_writer, put_outbox
from ares.control.types import Json
from ares.errors import LeaseLost
from ares.model.row import Row, UtcNs

State = Literal["asked", "running", "cancelling", "done", "failed", "cancelled", "lost"]
Ended = Literal["done", "failed", "cancelled", "lost"]
ENDED = frozenset(get_args(Ended))
TABLE = "errands"

_ErrandColumns = tuple[str, str, str, str, int, int, str, str, int]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: which kind of errand, with which arguments, by whom."""

    id: str
    kind: str
    arguments: Mapping[str, Json]
    asked_by: str


@dataclass(frozen=True, slots=True)
class Errand:
    """An errand at its newest step. Moments in UTC ns, 0: not yet. `share` of the work that is done, None: unknown.

    `who` took that step: who asked or cancelled, or a runner.
    """

    wish: Wish
    asked_at_ns: int
    state: State
    seq: int
    at_ns: int
    who: str
    started_at_ns: int = 0
    progress: str = ""
    share: float | None = None
    outcome: Json = None
    error: str = ""

    @property
    def id(self) -> str:
        return self.wish.id

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Hold:
    """Who carries errands out, and how long one is theirs unless they say so again (seconds)."""

    runner: str
    ttl_s: float


@dataclass(frozen=True, slots=True)
class End:
    """How an errand ended: what its command printed, and why it failed or was cancelled."""

    state: Ended
    outcome: Json = None
    error: str = ""


class ErrandStore:
    """These tables of a control store. Every method is one transaction, and raises `ControlUnavailable`."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def ask(self, wish: Wish, now_ns: int, open_max: int) -> Errand | None:
        """Keep what was asked for; None if `open_max` are open already."""
        values: Cells = {
            "id": wish.id,
            "kind": wish.kind,
            "arguments": orjson.dumps(dict(wish.arguments), option=orjson.OPT_SORT_KEYS).decode(),
            "asked_by": wish.asked_by,
            "asked_at_ns": now_ns,
            "open": 1,
            "runner": "",
            "token_hash": "",
            "held_until_ns": 0,
        }
        first = Errand(wish, now_ns, "asked", 1, now_ns, wish.asked_by)
        with self._control.transaction() as connection:
            one_writer(connection)
            if len(_open_rows(connection)) >= open_max:
                return None
            connection.execute(insert(ERRANDS), values)
            noted(connection, ERRANDS.name, [values])
            return _put(connection, first)

    def get(self, errand_id: str) -> Errand | None:
        """One errand as it is now."""
        with self._control.reading() as connection:
            return _errand(connection, errand_id)

    def open(self) -> list[Errand]:
        """All that have not ended, in the order in which they were asked for."""
        with self._control.reading() as connection:
            found = [_at_newest(connection, row) for row in _open_rows(connection)]
        return [each for each in found if not each.ended]

    def take(self, errand_id: str, hold: Hold, token_hash: str, now_ns: int) -> Errand | None:
        """Begin an errand; None if somebody else did, or it was cancelled. `token_hash`: of what its process shows."""
        with self._control.transaction() as connection:
            one_writer(connection)
            errand = _errand(connection, errand_id)
            if errand is None or errand.state != "asked":
                return None
            held = {"runner": hold.runner, "token_hash": token_hash, "held_until_ns": _until_ns(hold, now_ns)}
            connection.execute(update(ERRANDS).where(ERRANDS.c.id == errand_id).values(held))
            return _put(connection, _next(errand, "running", hold.runner, now_ns))

    def renew(self, errand_id: str, hold: Hold, now_ns: int) -> Errand:
        """Go on holding an errand; as it is now. Raises `LeaseLost` once it is not ours or has ended."""
        with self._control.transaction() as connection:
            one_writer(connection)
            errand = _held(connection, errand_id, hold)
            until = update(ERRANDS).where(ERRANDS.c.id == errand_id).values(held_until_ns=_until_ns(hold, now_ns))
            connection.execute(until)
            return errand

    def tell(self, errand_id: str, hold: Hold, now_ns: int, progress: str, share: float | None) -> None:
        """How far it came. Raises `LeaseLost`."""
        with self._control.transaction() as connection:
            one_writer(connection)
            errand = _held(connection, errand_id, hold)
            step = _next(errand, errand.state, hold.runner, now_ns)
            _put(connection, replace(step, progress=progress, share=share))

    def end(self, errand_id: str, hold: Hold, now_ns: int, end: End) -> None:
        """What became of it. Raises `LeaseLost`."""
        with self._control.transaction() as connection:
            one_writer(connection)
            step = _next(_held(connection, errand_id, hold), end.state, hold.runner, now_ns)
            _put(connection, replace(step, outcome=end.outcome, error=end.error))

    def cancel(self, errand_id: str, who: str, now_ns: int) -> Errand | None:
        """Let it not be done: at once if nobody began, else its runner ends it. One that has ended stays as it is."""
        with self._control.transaction() as connection:
            one_writer(connection)
            errand = _errand(connection, errand_id)
            if errand is None or errand.state not in {"asked", "running"}:
                return errand
            return _put(
                connection, _next(errand, "cancelled" if errand.state == "asked" else "cancelling", who, now_ns)
            )

    def give_up(self, who: str, now_ns: int, waited_s_max: float) -> list[Errand]:
        """End what its runner fell silent about (`lost`) and what nobody began in time (`failed`); returns these.

        `who` looks: a runner that does is not silent, however busy its machine is.
        """
        since_ns = now_ns - round(waited_s_max * NANOS_PER_SECOND)
        ended = []
        with self._control.transaction() as connection:
            one_writer(connection)
            for row in _open_rows(connection):
                errand = _at_newest(connection, row)
                if errand.ended:
                    _close(connection, errand.id)
                elif errand.state == "asked" and errand.asked_at_ns < since_ns:
                    error = f"nobody began it within {waited_s_max:.0f} s. Ask again"
                    ended.append(_put(connection, replace(_next(errand, "failed", who, now_ns), error=error)))
                elif errand.state != "asked" and row.runner != who and row.held_until_ns < now_ns:
                    error = f"{row.runner or 'its runner'} fell silent. Look what came of it before asking again"
                    ended.append(_put(connection, replace(_next(errand, "lost", who, now_ns), error=error)))
        return ended

    def asker(self, errand_id: str, token_hash: str, now_ns: int) -> str | None:
        """Who asked for the errand that a process carries out which shows this token; None: it carries out none."""
        mine = (ERRANDS.c.id == errand_id) & (ERRANDS.c.token_hash == token_hash) & (ERRANDS.c.token_hash != "")
        with self._control.reading() as connection:
            row = connection.execute(select(ERRANDS).where(mine, ERRANDS.c.open == 1)).one_or_none()
        return None if row is None or row.held_until_ns < now_ns else row.asked_by


def _until_ns(hold: Hold, now_ns: int) -> int:
    return now_ns + round(hold.ttl_s * NANOS_PER_SECOND)


def _next(errand: Errand, state: State, who: str, now_ns: int) -> Errand:
    """The following step; steps of an errand are never at the same moment."""
    at_ns = max(now_ns, errand.at_ns + 1)
    started_at_ns = at_ns if state == "running" and not errand.started_at_ns else errand.started_at_ns
    return replace(errand, state=state, seq=errand.seq + 1, at_ns=at_ns, who=who, started_at_ns=started_at_ns)


def _open_rows(connection: Connection) -> list[SqlRow[_ErrandColumns]]:
    query = select(ERRANDS).where(ERRANDS.c.open == 1).order_by(ERRANDS.c.asked_at_ns, ERRANDS.c.id)
    return list(connection.execute(query))


def _errand(connection: Connection, errand_id: str) -> Errand | None:
    row = connection.execute(select(ERRANDS).where(ERRANDS.c.id == errand_id)).one_or_none()
    return None if row is None else _at_newest(connection, row)


def _held(connection: Connection, errand_id: str, hold: Hold) -> Errand:
    row = connection.execute(select(ERRANDS).where(ERRANDS.c.id == errand_id)).one()
    errand = _at_newest(connection, row)
    if row.runner != hold.runner or errand.ended:
        raise LeaseLost(f"errand {errand_id} is {errand.state}, and no longer of {hold.runner}")
    return errand


def _at_newest(connection: Connection, row: SqlRow[_ErrandColumns]) -> Errand:
    mine = ERRAND_STEPS.c.errand == row.id
    step = connection.execute(select(ERRAND_STEPS).where(mine).order_by(ERRAND_STEPS.c.seq.desc()).limit(1)).one()
    wish = Wish(row.id, row.kind, orjson.loads(row.arguments), row.asked_by)
    return Errand(wish, row.asked_at_ns, step.state, step.seq, step.at_ns, step.who, **orjson.loads(step.detail))


def _put(connection: Connection, errand: Errand) -> Errand:
    """Add a step, and the row that tells of it."""
    detail: dict[str, Json] = {
        "started_at_ns": errand.started_at_ns,
        "progress": errand.progress,
        "share": errand.share,
        "outcome": errand.outcome,
        "error": errand.error,
    }
    values: Cells = {
        "errand": errand.id,
        "seq": errand.seq,
        "state": errand.state,
        "at_ns": errand.at_ns,
        "who": errand.who,
        "detail": orjson.dumps(detail).decode(),
    }
    connection.execute(insert(ERRAND_STEPS), values)
    noted(connection, ERRAND_STEPS.name, [values])
    if errand.ended:
        _close(connection, errand.id)
    put_outbox(connection, rows_of([errand]))
    return errand


def _close(connection: Connection, errand_id: str) -> None:
    connection.execute(update(ERRANDS).where(ERRANDS.c.id == errand_id).values(open=0, token_hash=""))


def rows_of(errands: Iterable[Errand]) -> list[Row]:
    """Steps as analysts read them."""
    return [
        Row(
            TABLE,
            each.at_ns,
            {"kind": each.wish.kind, "state": each.state, "asked_by": each.wish.asked_by},
            {
                "errand_id": each.id,
                "seq": each.seq,
                "asked_at": UtcNs(each.asked_at_ns),
                "started_at": UtcNs(each.started_at_ns) if each.started_at_ns else None,
                "who": each.who,
                "arguments": orjson.dumps(dict(each.wish.arguments), option=orjson.OPT_SORT_KEYS).decode(),
                "progress": each.progress or None,
                "share": each.share,
                "outcome": None if each.outcome is None else orjson.dumps(each.outcome).decode(),
                "error": each.error or None,
            },
        )
        for each in errands
    ]
