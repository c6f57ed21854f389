"""Every error Ares raises, in one tree.

    AresError
    ├── UsageError                 exit 2: what was asked cannot be done as asked
    │   ├── ConfigError            a setting is unknown, missing or of the wrong kind
    │   │   └── SecretUnavailable  a secret store does not answer now
    │   ├── UnknownSymbol          the venue does not list this symbol
    │   └── UnknownName            no such service, job, view or migration
    └── OperatingError             exit 1: the world refused; the request was fine
        ├── StateDirUnusable       the state directory cannot be written
        ├── PortInUse              somebody else listens where we must
        ├── ServerFailed           a process we started died or never became ready
        ├── StoreError
        │   ├── StoreUnavailable   QuestDB cannot be reached; trying again may help
        │   │   ├── StreamUnavailable   the same of Kafka
        │   │   └── CopyUnavailable     the same of an InfluxDB
        │   └── StoreRejected      QuestDB refused the statement or the batch; it will again
        │       ├── CopyDenied     an InfluxDB does not let us in, or has no such bucket
        │       └── CopyRejected   an InfluxDB refused a point or a query; it will again
        ├── ControlError
        │   ├── ControlUnavailable the control store cannot be opened or written
        │   ├── SequenceConflict   the stream moved on since it was read
        │   └── LeaseLost          somebody else holds the lease, or it ran out
        ├── EventUnreadable        no installed package knows this event
        ├── StreamUnreadable       ticks on Kafka are in a format of a later release
        ├── LogBroken              the event log has a hole, or a table says something else
        ├── MalformedFrame         the venue sent something that is not what it documents
        └── VenueError
            ├── VenueUnavailable   no answer, or an answer that says "later"
            ├── VenueRejected      the venue understood and said no
            └── OrderOutcomeUnknown   a submit was sent and its fate is not known

Operating errors are expected and handled; programmer errors are assertions. Foreign exceptions become one of
these at the door of the library that raises them.
"""

from __future__ import annotations

from typing import ClassVar

from ares.redaction import redact


class AresError(Exception):
    """Root of the tree. `code` is stable and goes into rows, logs and metrics; the message is for people."""

    code: ClassVar[str] = "ares_error"
    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        """The message, without any secret that this process knows: it goes into rows, pages and metrics."""
        return redact(super().__str__())


class UsageError(AresError):
    """The request itself is wrong; the message names the field, the value and the way out."""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown, missing or of the wrong kind."""

    code = "config"

    def __init__(self, field: str, value: object, problem: str, way_out: str) -> None:
        self.field = field
        self.value = value
        super().__init__(f"{field} = {value!r}: {problem}. {way_out}")


class SecretUnavailable(ConfigError):
    """A secret store does not answer now; the reference itself may be right."""

    code = "secret_unavailable"


class UnknownSymbol(UsageError):
    """The venue does not list this symbol."""

    code = "unknown_symbol"

    def __init__(self, venue: str, symbol: str, near: list[str]) -> None:
        hint = f"It lists, for example, {', '.join(near)}" if near else "It lists no symbols at all"
        super().__init__(f"symbol = {symbol!r}: {venue} does not list it. {hint}; change ingest.symbols")


class UnknownName(UsageError):
    """No such service, job, view or migration."""

    code = "unknown_name"

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        super().__init__(f"{kind} = {name!r}: no such {kind}. Known: {', '.join(sorted(known)) or 'none'}")


class OperatingError(AresError):
    """The request was fine, the world refused."""

    code = "operating"


class StateDirUnusable(OperatingError):
    """The state directory cannot be written."""

    code = "state_dir"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"environment.state_dir = {path!r}: {reason}. Make it writable or set ARES_ENVIRONMENT__STATE_DIR"
        )


class PortInUse(OperatingError):
    """Somebody else listens where we must."""

    code = "port_in_use"

    def __init__(self, field: str, host: str, port: int) -> None:
        variable = "ARES_" + field.upper().replace(".", "__")
        super().__init__(
            f"{field} = {port}: {host}:{port} is taken by another program. Stop it or set {variable} to a free port"
        )


class OverMemory(OperatingError):
    """This process uses more memory than it may; it ends in order and is started again."""

    code = "over_memory"

    def __init__(self, resident_mb: float, limit_mb: int) -> None:
        super().__init__(
            f"resident memory = {resident_mb:.0f} MiB: over resources.limits.<service>.memory_mb_max = {limit_mb}. "
            "Raise it if the work has grown; if it only grows with time, see `ares job run leaks`"
        )


class ServerFailed(OperatingError):
    """A process we started died or never became ready."""

    code = "server_failed"


class StoreError(OperatingError):
    """QuestDB could not do what it was asked."""

    code = "store"


class StoreUnavailable(StoreError):
    """QuestDB cannot be reached; trying again may help."""

    code = "store_unavailable"


class StreamUnavailable(StoreUnavailable):
    """Kafka cannot be reached, or did not acknowledge; trying again may help."""

    code = "stream_unavailable"


class StoreRejected(StoreError):
    """QuestDB refused the statement or the batch; it will refuse it again."""

    code = "store_rejected"


class CopyUnavailable(StoreUnavailable):
    """An InfluxDB cannot be reached, or says "later". `retry_after_s` is its own wish, if it gave one."""

    code = "copy_unavailable"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class CopyDenied(StoreRejected):
    """An InfluxDB does not know the token, or the token may not do this, or there is no such organisation or bucket."""

    code = "copy_denied"


class CopyRejected(StoreRejected):
    """An InfluxDB refused what it was sent. `dropped`: it took all but so many points; None: it took none.

    `too_large`: less of it at once may be taken.
    """

    code = "copy_rejected"

    def __init__(self, message: str, dropped: int | None = None, *, too_large: bool = False) -> None:
        self.dropped = dropped
        self.too_large = too_large
        super().__init__(message)


class ControlError(OperatingError):
    """The control store could not do what it was asked."""

    code = "control"


class ControlUnavailable(ControlError):
    """The control store cannot be opened or written."""

    code = "control_unavailable"


class AuditKeyUnusable(OperatingError):
    """The key that vouches for the audit chain cannot be used."""

    code = "audit_key"

    def __init__(self, path: str, problem: str, way_out: str) -> None:
        super().__init__(f"audit key {path}: {problem}. {way_out}")


class AuditBroken(OperatingError):
    """The audit chain was changed after it was written."""

    code = "audit_broken"


class EventUnreadable(OperatingError):
    """An event of the log is of a type, a version or a shape that no installed package knows."""

    code = "event_unreadable"


class StreamUnreadable(OperatingError):
    """Ticks on Kafka are in a format that only a later release can read."""

    code = "stream_unreadable"

    def __init__(self, what: str, found: str) -> None:
        super().__init__(f"format = {found}: {what} is of a later release. Upgrade the sink workers before collectors")


class LogBroken(OperatingError):
    """The event log has a hole, or a table does not say what the log says."""

    code = "log_broken"


class SequenceConflict(ControlError):
    """The stream moved on since it was read; read again and decide again."""

    code = "sequence_conflict"


class LeaseLost(ControlError):
    """Somebody else holds the lease, or it ran out."""

    code = "lease_lost"


class MalformedFrame(OperatingError):
    """The venue sent something that is not what it documents."""

    code = "malformed_frame"

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(f"{field}: {problem}")


class VenueError(OperatingError):
    """A venue did not do what it was asked."""

    code = "venue"


class VenueUnavailable(VenueError):
    """No answer, or an answer that says "later". `retry_after_s` is the venue's own wish, if it gave one."""

    code = "venue_unavailable"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class VenueRejected(VenueError):
    """The venue understood the request and said no; `reason` is its own word for why."""

    code = "venue_rejected"

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class OrderOutcomeUnknown(VenueError):
    """A submit or cancel was sent and its fate is not known; only the venue's evidence resolves it."""

    code = "order_outcome_unknown"
