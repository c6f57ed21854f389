"""What venues and their frames do."""

from __future__ import annotations

from ares.errors.base import OperatingError


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
