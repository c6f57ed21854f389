"""How payloads of earlier versions are read: each from the shape that it had to the one that it has."""

from __future__ import annotations

from ares.control import Json
from ares.events.types import Payload


def intent_alone(payload: Payload) -> Payload:
    """Version 1 repeated the first step beside the intent."""
    return {"intent": payload["intent"]}


def adoptions_named(payload: Payload) -> Payload:
    """Version 1 held adoptions as lists and said nothing of the venue."""
    adopted = payload["adopted"]
    assert isinstance(adopted, list), "an opening lists what was adopted"
    names = ("symbol", "strategy", "quantity", "mark")
    named: list[Json] = [dict(zip(names, each, strict=True)) for each in adopted if isinstance(each, list)]
    return {"venue": "", "adopted": named}


OF_FILL = ("order_id", "strategy", "correlation_id", "received_at_ns", "fee_rate")


def execution_nested(payload: Payload) -> Payload:
    """Version 1 was flat."""
    fill: dict[str, Json] = {name: payload[name] for name in OF_FILL}
    return {"fill": fill | {"execution": {name: each for name, each in payload.items() if name not in OF_FILL}}}
