"""The body of an error, the same for REST and the WebSocket API."""

from __future__ import annotations

from simulator.matching.types import Refusal


def refusal_body(refusal: Refusal) -> dict[str, object]:
    """Code and text, and what was done all the same."""
    body: dict[str, object] = {"code": refusal.code, "msg": refusal.message}
    return body if refusal.data is None else body | {"data": refusal.data}
