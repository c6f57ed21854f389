"""What processes, keys and releases of this installation do."""

from __future__ import annotations

from ares.errors.base import OperatingError


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


class AuditKeyUnusable(OperatingError):
    """The key that vouches for the audit chain cannot be used."""

    code = "audit_key"

    def __init__(self, path: str, problem: str, way_out: str) -> None:
        super().__init__(f"audit key {path}: {problem}. {way_out}")


class AuditBroken(OperatingError):
    """The audit chain was changed after it was written."""

    code = "audit_broken"


class ArchiveBroken(OperatingError):
    """A compliance archive is not as it was signed, or nobody we know signed it."""

    code = "archive_broken"


class OlderReleaseRuns(OperatingError):
    """A post migration would take away what an instance of an older release still uses."""

    code = "older_release_runs"

    def __init__(self, first: str, count: int, silent_s: float) -> None:
        more = f", and {count - 1} more" if count > 1 else ""
        super().__init__(
            f"post migrations wait: an older release runs: {first}{more}. Stop it, or start it as this release; "
            f"one that died without a word counts until it was silent for {silent_s:.0f} s"
        )


class SchemaBusy(OperatingError):
    """Somebody else migrates this database."""

    code = "schema_busy"

    def __init__(self, name: str, waited_s: float) -> None:
        super().__init__(
            f"lease {name}: another migrator has held it for {waited_s:.0f} s. Wait until that one is done"
        )


class RehearsalFailed(OperatingError):
    """A rehearsed upgrade did not read the same, or did not work at all."""

    code = "rehearsal_failed"


class ModelUnusable(OperatingError):
    """A model is of no known family, or does not answer as it did when it was fitted."""

    code = "model_unusable"
