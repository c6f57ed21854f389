"""What proves who somebody is, sessions and answers to repeated requests, as they are kept.

Rows are only added, so that a second copy of the store has them: what is newest holds, and what may happen once is a
key that can be added once. Answers alone are filled in later: of one that was lost nobody knows what came of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, insert, select, update
from sqlalchemy.engine import Row as SqlRow
from sqlalchemy.exc import IntegrityError

from ares.control.schema import (
    ANSWERS,
    CREDENTIALS,
    LOGINS,
    METADATA,
    SESSION_ENDS,
    SESSION_TOKENS,
    SESSIONS,
    USED_CODES,
)
from ares.control.second_copy import Cells, noted
from ares.control.store import ControlStore

SessionColumns = tuple[str, str, int, int, str, str]


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody is logged in, from where and with what, until when at the latest. Moments in UTC ns."""

    id: str
    user: str
    began_at_ns: int
    ends_at_ns: int
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A refresh token as it is kept: which of its session, its hash, when it was made (UTC ns)."""

    number: int
    hash: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Attempts:
    """Failures to log in since the last success, and when the last of them was (UTC ns; 0: none)."""

    failed: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request; `request` is its digest. Status 0: it is still being answered."""

    request: str
    status: int
    body: str
    at_ns: int


class AccessStore:
    """These tables of a control store. Every method is one transaction, and raises `ControlUnavailable`."""

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def put_credential(self, owner: str, kind: str, value: str, at_ns: int) -> None:
        """From now on this proves the owner; an empty value proves nothing."""
        self._add(CREDENTIALS.name, {"owner": owner, "kind": kind, "value": value, "at_ns": at_ns})

    def credential(self, owner: str, kind: str) -> str:
        """The newest of a kind; empty if there is none."""
        mine = (CREDENTIALS.c.owner == owner) & (CREDENTIALS.c.kind == kind)
        query = select(CREDENTIALS.c.value).where(mine).order_by(CREDENTIALS.c.id.desc()).limit(1)
        with self._control.reading() as connection:
            return connection.execute(query).scalar() or ""

    def begin_session(self, session: Session, token_hash: str) -> None:
        """A session with its first refresh token."""
        values: Cells = {
            "id": session.id,
            "user": session.user,
            "began_at_ns": session.began_at_ns,
            "ends_at_ns": session.ends_at_ns,
            "address": session.address,
            "agent": session.agent,
        }
        first: Cells = {"session": session.id, "number": 1, "hash": token_hash, "at_ns": session.began_at_ns}
        with self._control.transaction() as connection:
            _put(connection, SESSIONS.name, values)
            _put(connection, SESSION_TOKENS.name, first)

    def session(self, session_id: str) -> Session | None:
        """A session that was begun and not ended."""
        query = _open_sessions().where(SESSIONS.c.id == session_id)
        with self._control.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _session(row)

    def sessions(self, user: str) -> list[Session]:
        """Those of a user that were not ended, oldest first."""
        query = _open_sessions().where(SESSIONS.c.user == user).order_by(SESSIONS.c.began_at_ns)
        with self._control.reading() as connection:
            return [_session(row) for row in connection.execute(query)]

    def issued(self, session_id: str) -> dict[int, Issued]:
        """All refresh tokens of a session, by number."""
        mine = SESSION_TOKENS.c.session == session_id
        query = select(SESSION_TOKENS.c.number, SESSION_TOKENS.c.hash, SESSION_TOKENS.c.at_ns).where(mine)
        with self._control.reading() as connection:
            return {row.number: Issued(row.number, row.hash, row.at_ns) for row in connection.execute(query)}

    def put_token(self, session_id: str, number: int, token_hash: str, at_ns: int) -> bool:
        """The next refresh token of a session; False if it has one of this number: somebody else was faster."""
        return self._add_once(
            SESSION_TOKENS.name, {"session": session_id, "number": number, "hash": token_hash, "at_ns": at_ns}
        )

    def end_session(self, session_id: str, at_ns: int, why: str) -> bool:
        """False if it had ended."""
        return self._add_once(SESSION_ENDS.name, {"session": session_id, "at_ns": at_ns, "why": why})

    def use_code(self, user: str, step: int) -> bool:
        """False if the user has shown the code of this step before."""
        return self._add_once(USED_CODES.name, {"user": user, "step": step})

    def note_login(self, user: str, address: str, at_ns: int, *, ok: bool) -> None:
        """An attempt, and how it ended."""
        self._add(LOGINS.name, {"user": user, "address": address, "at_ns": at_ns, "ok": int(ok)})

    def attempts_of(self, user: str, since_ns: int) -> Attempts:
        """How often a user's logins failed since one went well, and since a moment."""
        with self._control.reading() as connection:
            mine = LOGINS.c.user == user
            went_well = select(func.max(LOGINS.c.id)).where(mine, LOGINS.c.ok == 1)
            last_ok = connection.execute(went_well).scalar() or 0
            failed = select(func.count(), func.max(LOGINS.c.at_ns)).where(
                mine, LOGINS.c.ok == 0, LOGINS.c.id > last_ok, LOGINS.c.at_ns >= since_ns
            )
            count, last_ns = connection.execute(failed).one()
        return Attempts(count, last_ns or 0)

    def attempts_from(self, address: str, since_ns: int) -> int:
        """How many logins from an address failed since a moment, whoever's they were."""
        mine = (LOGINS.c.address == address) & (LOGINS.c.ok == 0) & (LOGINS.c.at_ns >= since_ns)
        with self._control.reading() as connection:
            return connection.execute(select(func.count()).select_from(LOGINS).where(mine)).scalar() or 0

    def last_logins(self) -> dict[str, int]:
        """When each user last logged in (UTC ns), of those who ever did."""
        went_well = (LOGINS.c.ok == 1) & (LOGINS.c.address != "")
        query = select(LOGINS.c.user, func.max(LOGINS.c.at_ns).label("at_ns")).where(went_well).group_by(LOGINS.c.user)
        with self._control.reading() as connection:
            return {row.user: row.at_ns for row in connection.execute(query)}

    def claim_answer(self, caller: str, key: str, request: str, at_ns: int) -> Answer | None:
        """None: the request is the caller's to carry out. Else what was answered to this key before."""
        if self._add_once(
            ANSWERS.name, {"caller": caller, "key": key, "request": request, "status": 0, "body": "", "at_ns": at_ns}
        ):
            return None
        with self._control.reading() as connection:
            row = connection.execute(select(ANSWERS).where(_place(caller, key))).one()
        return Answer(row.request, row.status, row.body, row.at_ns)

    def put_answer(self, caller: str, key: str, status: int, body: str) -> None:
        """Keep what is answered to a claimed request."""
        with self._control.transaction() as connection:
            connection.execute(update(ANSWERS).where(_place(caller, key)).values(status=status, body=body))

    def release_answer(self, caller: str, key: str) -> None:
        """Let a request be sent again that came to nothing."""
        with self._control.transaction() as connection:
            connection.execute(delete(ANSWERS).where(_place(caller, key), ANSWERS.c.status == 0))

    def _add(self, table: str, values: Cells) -> None:
        with self._control.transaction() as connection:
            _put(connection, table, values)

    def _add_once(self, table: str, values: Cells) -> bool:
        try:
            self._add(table, values)
        except IntegrityError:
            return False
        return True


def _place(caller: str, key: str) -> ColumnElement[bool]:
    return (ANSWERS.c.caller == caller) & (ANSWERS.c.key == key)


def _open_sessions() -> Select[SessionColumns]:
    return select(SESSIONS).where(~exists().where(SESSION_ENDS.c.session == SESSIONS.c.id))


def _session(row: SqlRow[SessionColumns]) -> Session:
    return Session(row.id, row.user, row.began_at_ns, row.ends_at_ns, row.address, row.agent)


def _put(connection: Connection, table: str, values: Cells) -> None:
    connection.execute(insert(METADATA.tables[table]), values)
    noted(connection, table, [values])
