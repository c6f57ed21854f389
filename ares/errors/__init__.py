"""Every error Ares raises, in one tree.

    AresError
    ├── UsageError                 exit 2: what was asked cannot be done as asked
    │   ├── ConfigError            a setting is unknown, missing or of the wrong kind
    │   │   └── SecretUnavailable  a secret store does not answer now
    │   ├── UnknownSymbol          the venue does not list this symbol
    │   ├── UnknownName            no such service, job, view or migration
    │   └── AccessDenied           somebody may not come in, or not do this
    └── OperatingError             exit 1: the world refused; the request was fine
        ├── StateDirUnusable       the state directory cannot be written
        ├── PortInUse              somebody else listens where we must
        ├── ServerFailed           a process we started died or never became ready
        ├── OlderReleaseRuns       a post migration would break a release that still runs
        ├── SchemaBusy             somebody else migrates this database
        ├── RehearsalFailed        a rehearsed upgrade showed differences
        ├── ArchiveBroken          a compliance archive is not as it was signed
        ├── ModelUnusable          a model is of no known family, or does not answer as it did when it was fitted
        ├── StoreError
        │   ├── StoreUnavailable   QuestDB cannot be reached; trying again may help
        │   │   ├── StreamUnavailable   the same of Kafka
        │   │   └── CopyUnavailable     the same of an InfluxDB
        │   └── StoreRejected      QuestDB refused the statement or the batch; it will again
        │       ├── CopyDenied     an InfluxDB does not let us in, or has no such bucket
        │       └── CopyRejected   an InfluxDB refused a point or a query; it will again
        ├── LakeError
        │   ├── LakeUnavailable    the cold tier cannot be reached, or somebody else wrote the same; again later
        │   └── LakeRejected       Delta Lake or DuckDB refused; it will again
        ├── ControlError
        │   ├── ControlUnavailable the control store cannot be opened or written
        │   ├── SequenceConflict   the stream moved on since it was read
        │   └── LeaseLost          somebody else holds the lease, or it ran out
        ├── EventUnreadable        no installed package knows this event
        ├── StreamUnreadable       ticks on Kafka are in a format of a later release
        ├── LogBroken              the event log has a hole, or a table says something else
        ├── BackupError
        │   ├── RepositoryUnavailable   the repository of backups cannot be reached; trying again may help
        │   ├── RepositoryLocked        another program works on it, or another backup runs
        │   ├── RepositoryDenied        it does not let us in: its password or the credentials are others
        │   ├── RepositoryMissing       there is none at this place
        │   ├── RepositoryFull          its disk is full
        │   ├── RepositoryBroken        what it holds is not what was put there
        │   ├── BackupIncomplete        a copy was not made, or cannot be trusted
        │   └── DrillFailed             what came back is not what was there
        ├── MalformedFrame         the venue sent something that is not what it documents
        └── VenueError
            ├── VenueUnavailable   no answer, or an answer that says "later"
            ├── VenueRejected      the venue understood and said no
            └── OrderOutcomeUnknown   a submit was sent and its fate is not known

Operating errors are expected and handled; programmer errors are assertions. Foreign exceptions become one of
these at the door of the library that raises them.
"""

from __future__ import annotations

from ares.errors.base import (
    AccessDenied,
    AccessReason,
    AresError,
    ConfigError,
    OperatingError,
    SecretUnavailable,
    UnknownName,
    UnknownSymbol,
    UsageError,
)
from ares.errors.machine import (
    ArchiveBroken,
    AuditBroken,
    AuditKeyUnusable,
    ModelUnusable,
    OlderReleaseRuns,
    OverMemory,
    PortInUse,
    RehearsalFailed,
    SchemaBusy,
    ServerFailed,
    StateDirUnusable,
)
from ares.errors.storage import (
    BackupError,
    BackupIncomplete,
    ControlError,
    ControlUnavailable,
    CopyDenied,
    CopyRejected,
    CopyUnavailable,
    DrillFailed,
    EventUnreadable,
    LakeError,
    LakeRejected,
    LakeUnavailable,
    LeaseLost,
    LogBroken,
    RepositoryBroken,
    RepositoryDenied,
    RepositoryFull,
    RepositoryLocked,
    RepositoryMissing,
    RepositoryUnavailable,
    SequenceConflict,
    StoreError,
    StoreRejected,
    StoreUnavailable,
    StreamUnavailable,
    StreamUnreadable,
)
from ares.errors.venue import (
    MalformedFrame,
    OrderOutcomeUnknown,
    VenueError,
    VenueRejected,
    VenueUnavailable,
)

__all__ = [
    "AccessDenied",
    "AccessReason",
    "ArchiveBroken",
    "AresError",
    "AuditBroken",
    "AuditKeyUnusable",
    "BackupError",
    "BackupIncomplete",
    "ConfigError",
    "ControlError",
    "ControlUnavailable",
    "CopyDenied",
    "CopyRejected",
    "CopyUnavailable",
    "DrillFailed",
    "EventUnreadable",
    "LakeError",
    "LakeRejected",
    "LakeUnavailable",
    "LeaseLost",
    "LogBroken",
    "MalformedFrame",
    "ModelUnusable",
    "OlderReleaseRuns",
    "OperatingError",
    "OrderOutcomeUnknown",
    "OverMemory",
    "PortInUse",
    "RehearsalFailed",
    "RepositoryBroken",
    "RepositoryDenied",
    "RepositoryFull",
    "RepositoryLocked",
    "RepositoryMissing",
    "RepositoryUnavailable",
    "SchemaBusy",
    "SecretUnavailable",
    "SequenceConflict",
    "ServerFailed",
    "StateDirUnusable",
    "StoreError",
    "StoreRejected",
    "StoreUnavailable",
    "StreamUnavailable",
    "StreamUnreadable",
    "UnknownName",
    "UnknownSymbol",
    "UsageError",
    "VenueError",
    "VenueRejected",
    "VenueUnavailable",
]
