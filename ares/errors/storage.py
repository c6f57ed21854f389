"""What QuestDB, the control store, the cold tier and the repository of backups do."""

from __future__ import annotations

from ares.errors.base import OperatingError


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


class LakeError(OperatingError):
    """The cold tier could not do what it was asked."""

    code = "lake"


class LakeUnavailable(LakeError):
    """The cold tier cannot be reached, or somebody else wrote the same part meanwhile; trying again may help."""

    code = "lake_unavailable"


class LakeRejected(LakeError):
    """Delta Lake or DuckDB refused what was asked; it will refuse it again."""

    code = "lake_rejected"


class ControlError(OperatingError):
    """The control store could not do what it was asked."""

    code = "control"


class ControlUnavailable(ControlError):
    """The control store cannot be opened or written."""

    code = "control_unavailable"


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


class BackupError(OperatingError):
    """A backup, or what is done with one, did not come about."""

    code = "backup"


class RepositoryUnavailable(BackupError):
    """The repository of backups cannot be reached; trying again may help."""

    code = "repository_unavailable"


class RepositoryLocked(BackupError):
    """Another program works on the repository, or another backup runs."""

    code = "repository_locked"


class RepositoryDenied(BackupError):
    """The repository does not let us in: its password or the credentials are others."""

    code = "repository_denied"


class RepositoryMissing(BackupError):
    """There is no repository at this place."""

    code = "repository_missing"


class RepositoryFull(BackupError):
    """The disk of the repository is full."""

    code = "repository_full"


class RepositoryBroken(BackupError):
    """The repository does not hold what was put there."""

    code = "repository_broken"


class BackupIncomplete(BackupError):
    """A copy was not made, or cannot be trusted."""

    code = "backup_incomplete"


class DrillFailed(BackupError):
    """A restore was tried, and what came back is not what was there."""

    code = "drill_failed"
