"""The statements that QuestDB runs now, and how one is cancelled.

Asked over HTTP: where statements hold every worker of the PostgreSQL wire, a question over it would wait behind them.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode

from ares.config.settings import DatabaseConfig
from ares.errors import StoreRejected, StoreUnavailable
from ares.store.http import ANSWER_BYTES_MAX, connection, login
from ares.store.pool import OURS
from ares.store.queries import load_queries

QUERIES = load_queries("ares.store", "running.sql")
TIMEOUT_S = 5.0
Cell = str | int | float | None

_WRITES = re.compile(
    r"(?:\s|\()*(?:INSERT|UPDATE|ALTER|CREATE|DROP|TRUNCATE|REFRESH|CHECKPOINT|SNAPSHOT|VACUUM|REINDEX|COPY|BACKUP|RENAME)\b",
    re.IGNORECASE,
)
"""The read-only user is refused at once whatever begins so."""


@dataclass(frozen=True, slots=True)
class Running:
    """A statement that runs: for how long, and its text as QuestDB tells it."""

    query_id: int
    seconds: float
    text: str

    @property
    def is_ours(self) -> bool:
        """Whether Ares sent it: it says so, or it is of a kind that nobody else may send."""
        return self.text.rstrip().endswith(OURS) or _WRITES.match(self.text) is not None


class RunningStatements:
    """Looks and cancels; each call blocks for a round to the server, `TIMEOUT_S` at most for each byte.

    Raises `StoreUnavailable` if the server does not answer, `StoreRejected` if it refuses.
    """

    def __init__(self, config: DatabaseConfig) -> None:
        self._config = config

    def now(self) -> Sequence[Running]:
        """What runs now, oldest first; this question is not among it."""
        found = [
            Running(int(cast("int", number)), int(cast("int", age_us)) / 1e6, str(text))
            for number, _, age_us, text in self._ask("running")
        ]
        return [each for each in found if "query_activity()" not in each.text or not each.is_ours]

    def held_mb(self) -> float:
        """What all statements together hold for sorts, groups, joins and windows, MiB."""
        ((held, *_), *_) = self._ask("memory")
        return float(held or 0) / 1024 / 1024

    def cancel(self, query_id: int) -> bool:
        """End a statement; False if it has ended by itself. It ends when its operator looks up, mostly at once."""
        try:
            self._ask("cancel", str(query_id))
        except StoreRejected:
            return False
        return True

    def _ask(self, name: str, query_id: str = "") -> list[list[Cell]]:
        statement = QUERIES[name].replace("this_id", query_id)
        if not query_id:
            statement = f"{statement}\n{OURS}"
        there = connection(self._config, TIMEOUT_S)
        try:
            there.request("GET", f"/exec?{urlencode({'query': statement, 'nm': 'true'})}", headers=login(self._config))
            answer = there.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise StoreUnavailable(f"QuestDB did not answer: {type(error).__name__}: {error}") from None
        finally:
            there.close()
        if answer.status >= 300:
            said = body[:ANSWER_BYTES_MAX].decode(errors="replace").strip()
            raise StoreRejected(f"QuestDB refused: {answer.status} {said}")
        return cast("list[list[Cell]]", json.loads(body).get("dataset", []))
