"""The body of an error, the same for REST and the WebSocket API, and refusals that more than one room uses."""

from __future__ import annotations

from simulator.matching.types import Refusal


def refusal_body(refusal: Refusal) -> dict[str, object]:
    """Code and text, and what was done all the same."""
    body: dict[str, object] = {"code": refusal.code, "msg": refusal.message}
    return body if refusal.data is None else body | {"data": refusal.data}


def under_maintenance() -> Refusal:
    """The whole venue takes nothing now."""
    return Refusal(-1016, "This service is no longer available.", 503)


def too_many(message: str, http_status: int, wait_s: int) -> Refusal:
    """It was asked too much, and wants no more for so long."""
    return Refusal(-1003, message, http_status, retry_after_s=wait_s)
