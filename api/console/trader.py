"""What the trader says and is ordered, as the routes of the API do it: in the name of who looks, within their scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from api.commands import Desk, ReasonBody
from api.console.view import View
from ares.errors import AccessDenied, UsageError
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.service.trader_asked import Answer
from ares.service.trader_door import NoTrader

B = TypeVar("B", bound=BaseModel)
_NUMBER = "a number above 0 with at most ten decimals is expected. Example: 0.001"
_EXPECTED = {
    "quantity": _NUMBER,
    "price": _NUMBER,
    "value": "a number is expected, or nothing, to let the setting hold again. Example: 5000",
    "name": "no such limit. Take one of the list",
    "reason": "text of one line is expected, of at most 200 characters",
}


async def told(view: View, verb: str) -> Answer:
    """What the trader says of itself, database or not. Raises `NoTrader`, `AccessDenied`."""
    caller = await view.caller(Permission.READ_TRADING)
    parts = view.house.parts
    Desk(parts).whole(caller)
    return await parts.trader.ask(verb)


async def told_or_why(view: View, verb: str) -> tuple[Answer | None, str]:
    """The same; where the trader does not answer, or is not to be asked by who looks, why. Raises `AccessDenied`."""
    try:
        return await told(view, verb), ""
    except NoTrader as error:
        return None, f"{str(error)[:1].upper()}{str(error)[1:]}."
    except AccessDenied as error:
        if error.reason != "forbidden":
            raise
        return None, "You are confined, and the trader speaks of everything: this is what the rows say."


async def ordered(view: View, caller: Caller, verb: str, body: BaseModel, **more: str) -> Answer:
    """Order it of the trader; `more`: what the body does not say. Raises `NoTrader`, `AresError`s."""
    parts = view.house.parts
    texts = {name: str(value) for name, value in body.model_dump().items() if value not in (None, "")} | more
    Desk(parts).require(caller, verb, texts)
    return await parts.trader.order(verb, {**texts, "actor": caller.user})


def reason_of(text: str) -> str:
    """A reason as the API would take it. Raises `UsageError`."""
    return body_of(ReasonBody, reason=text).reason


def said_of(answer: Mapping[str, object], name: str) -> str:
    """A word of an answer; empty where it has none."""
    value = answer.get(name)
    return "" if value is None else str(value)


def body_of(model: type[B], **given: str) -> B:
    """What somebody typed, as the API would take it. Raises `UsageError` naming field, value and what is expected."""
    try:
        return model.model_validate({name: value.strip() for name, value in given.items()})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise UsageError(f"{name} = {given.get(name)!r}: {_EXPECTED.get(name, first['msg'])}") from None
