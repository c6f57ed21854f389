"""What a service says as rows of the table `logs`, so that one place is asked and not a file of each machine.

The file has every line; rows are for who looks. So nobody waits for them, and those that find no room are dropped.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count

from ares.clock import Clock
from ares.errors import StoreRejected, StoreUnavailable
from ares.model.row import Row
from ares.redaction import redact
from ares.service.types import ServiceContext
from ares.store import RowWriter
from ares.telemetry import get_logger, metrics
from ares.telemetry.logs import handed_to

WRITE_S = 2.0
END_S_MAX = 2.0
"""So long a process that ends waits for its last lines to be written."""
CHARACTERS_MAX = 16_384
_COLUMNS = frozenset({"ts", "service", "level", "module", "event", "correlation_id", "trace_id"})

log = get_logger(__name__)


class LogRows:
    """Lines that wait to be rows. `take` may be called by any thread, `write` by one."""

    def __init__(self, service: str, instance: str, clock: Clock, rows_max: int) -> None:
        self._service = service
        self._instance = instance
        self._clock = clock
        self._rows_max = rows_max
        self._waiting: deque[Row] = deque()
        self._numbers = count()
        self._failing = False

    def take(self, said: Mapping[str, object]) -> None:
        """A line; dropped and counted where too many wait."""
        if len(self._waiting) >= self._rows_max:
            metrics.LOG_ROWS.labels("dropped").inc()
            return
        self._waiting.append(self._row(said))

    def write(self, writer: RowWriter) -> None:
        """Write what waits; it goes on waiting while QuestDB is away."""
        rows = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if not rows:
            return
        try:
            writer.write_sync(rows)
        except StoreUnavailable as error:
            self._waiting.extendleft(reversed(rows))
            self._say(error.code)
        except StoreRejected as error:
            metrics.LOG_ROWS.labels("dropped").inc(len(rows))
            self._say(error.code)
        else:
            self._failing = False
            metrics.LOG_ROWS.labels("written").inc(len(rows))

    def _say(self, cause: str) -> None:
        """Once: the line that says so waits, too."""
        if not self._failing:
            self._failing = True
            log.warning("logs_not_written", cause=cause)

    def _row(self, said: Mapping[str, object]) -> Row:
        more = {str(name): value for name, value in said.items() if name not in _COLUMNS}
        fields = redact(json.dumps(more, default=str, skipkeys=True))
        if len(fields) > CHARACTERS_MAX:
            fields = json.dumps({"cut": fields[:CHARACTERS_MAX]})
        named = {name: str(said[name]) for name in ("correlation_id", "trace_id") if name in said}
        return Row(
            "logs",
            self._clock.now_ns(),
            {
                "service": self._service,
                "level": str(said.get("level", "")),
                "instance": self._instance,
                "module": str(said.get("module", "")),
            },
            {
                "event": _sayable(redact(str(said.get("event", "")))[:CHARACTERS_MAX]),
                "seq": next(self._numbers),
                "fields": fields,
                **named,
            },
        )


def _sayable(text: str) -> str:
    """Halves of characters, which libraries may quote, are no UTF-8."""
    return text.encode("utf-8", "replace").decode()


@contextmanager
def logged_as_rows(service: str, context: ServiceContext) -> Iterator[None]:
    """Make what this process says rows, as configured, as long as the block lasts."""
    config = context.config.monitoring
    if not config.log_rows:
        yield
        return
    rows = LogRows(service, context.instance, context.clock, config.log_queue_rows_max)
    ending = threading.Event()

    def work() -> None:
        writer = RowWriter(context.config.database)
        while not ending.wait(WRITE_S):
            rows.write(writer)
        rows.write(writer)
        writer.close_sync()

    working = threading.Thread(target=work, name="log-rows", daemon=True)
    working.start()
    try:
        with handed_to(rows.take):
            yield
    finally:
        ending.set()
        working.join(END_S_MAX)
