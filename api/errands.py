"""What takes long: asked for here, carried out by the service `errands`, and followed until it has ended."""

import asyncio
import inspect
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, cast

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model

from api.callers import guard
from api.login import Body
from api.once import Key, once
from api.parts import Parts
from api.policy import ANYBODY, Policy, extra
from api.problem import FAULTS, responses
from ares.clock import isoformat
from ares.control import Json
from ares.control.errands import Errand, State, Wish
from ares.errors import AccessDenied, OperatingError, UnknownName, UsageError
from ares.security.access.door import Caller
from ares.security.access.roles import EVERYTHING, Permission
from ares.service.errands.registry import errand as kind_of
from ares.service.errands.registry import errands
from ares.service.errands.spec import Arguments, ErrandSpec

_FAULTS = {**FAULTS, **responses(HTTPStatus.CONFLICT)}
ErrandId = Annotated[str, Path(max_length=40, pattern=r"^[A-Za-z0-9-]+$")]


class StrictBody(Body):
    """As arguments are: a number is no text of one."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ErrandShown(BaseModel):
    """An errand as it is now."""

    id: str
    kind: str = Field(examples=["backtest"])
    state: State
    asked_by: str
    asked_at: str
    started_at: str | None
    ended_at: str | None
    progress: str = Field(description="the stage that it is at", examples=["playing"])
    share: float | None = Field(description="of the work that is done; null: unknown")
    arguments: dict[str, JsonValue]
    outcome: JsonValue = Field(description="what its command printed")
    error: str = Field(description="why it failed, was cancelled or lost")


def router_of(parts: Parts) -> APIRouter:
    """A route for every kind of errand, and those under /errands."""
    router = APIRouter(responses=_FAULTS)
    for spec in errands():
        _add(router, parts, spec)
    _look(router, parts)
    return router


def _look(router: APIRouter, parts: Parts) -> None:
    @router.get("/errands/{errand}", openapi_extra=extra(ANYBODY), operation_id="show_errand", tags=["operations"])
    async def show(errand: ErrandId, caller: Annotated[Caller, Depends(guard(parts, ANYBODY))]) -> ErrandShown:
        """An errand of one's own; of anybody's, for who reads what everybody did."""
        return _shown(await asyncio.to_thread(_mine, parts, caller, errand, Permission.READ_AUDIT))

    @router.post(
        "/errands/{errand}/cancel", openapi_extra=extra(ANYBODY), operation_id="cancel_errand", tags=["operations"]
    )
    async def cancel(errand: ErrandId, caller: Annotated[Caller, Depends(guard(parts, ANYBODY))]) -> ErrandShown:
        """Let an errand of one's own not be done, or no further; admins, of anybody's. One that has ended stays."""
        return _shown(await asyncio.to_thread(cancelled, parts, caller, errand))


def cancelled(parts: Parts, caller: Caller, errand_id: str) -> Errand:
    """An errand that is not done, or no further: one's own; admins, anybody's. Blocks. Raises `UnknownName`."""
    found = _mine(parts, caller, errand_id, Permission.MANAGE_USERS)
    return parts.errands.cancel(found.id, caller.user, parts.clock.now_ns()) or found


def _mine(parts: Parts, caller: Caller, errand_id: str, anybodys: Permission) -> Errand:
    """An errand of who asks, or anybody's with a permission for that; with a key, one that lies within its scope.

    Blocks. Raises `UnknownName`: of others' errands nobody learns that they are there.
    """
    found = parts.errands.get(errand_id)
    if (
        found is None
        or (found.wish.asked_by != caller.user and anybodys not in caller.permissions)
        or (caller.key and not _opened_by(caller, found, parts.config().trading.account))
    ):
        raise UnknownName("errand", errand_id, [])
    return found


def _opened_by(caller: Caller, errand: Errand, account: str) -> bool:
    """Whether an errand lies within the scope of a key, which may be narrower than that of who asked for it."""
    try:
        arguments = kind_of(errand.wish.kind).kept(errand.wish.arguments)
    except UsageError:
        return caller.scope == EVERYTHING
    return arguments.within(caller.scope, account)


def _add(router: APIRouter, parts: Parts, spec: ErrandSpec) -> None:
    """The route where a kind is asked for: names in its path and the body together are its arguments."""
    policy, in_path = Policy(spec.permission), _names_in(spec.path)

    async def ask(request: Request, caller: Caller, body: BaseModel, key: str, **names: str) -> Response:
        arguments = _arguments(spec, {**names, **body.model_dump(by_alias=True, exclude_unset=True)})
        require_fit(parts, caller, arguments)

        async def work() -> dict[str, Json]:
            return _tree(await asyncio.to_thread(kept, parts, caller, spec, arguments))

        answer = await once(parts, request, caller, key, work, well=HTTPStatus.ACCEPTED)
        if answer.status_code == HTTPStatus.ACCEPTED:
            version = "/".join(request.url.path.split("/", 3)[:3])
            answer.headers["Location"] = f"{version}/errands/{orjson.loads(bytes(answer.body))['id']}"
        return answer

    kind = inspect.Parameter.KEYWORD_ONLY
    of_path = [inspect.Parameter(name, kind, annotation=_path_type(spec, name)) for name in in_path]
    given = [
        inspect.Parameter("request", kind, annotation=Request),
        inspect.Parameter("caller", kind, annotation=Annotated[Caller, Depends(guard(parts, policy))]),
        inspect.Parameter("body", kind, annotation=_body_of(spec, in_path)),
        inspect.Parameter("key", kind, annotation=Key, default=""),
    ]
    ask.__signature__ = inspect.Signature([*of_path, *given], return_annotation=Response)  # type: ignore[attr-defined]  # FastAPI reads parameters from it
    router.add_api_route(
        spec.path,
        ask,
        methods=["POST"],
        operation_id=f"ask_{spec.name.replace('-', '_')}",
        summary=spec.purpose,
        tags=["errands"],
        status_code=HTTPStatus.ACCEPTED,
        response_model=ErrandShown,
        openapi_extra=extra(policy),
    )


def kept(parts: Parts, caller: Caller, spec: ErrandSpec, arguments: Arguments) -> Errand:
    """Keep what somebody asks for. Raises `OperatingError` while too many are open: the same key may ask again."""
    open_max = parts.config().errands.open_max
    wish = Wish(str(uuid.uuid4()), spec.name, arguments.tree(), caller.user)
    errand = parts.errands.ask(wish, parts.clock.now_ns(), open_max)
    if errand is None:
        raise OperatingError(f"errands.open_max = {open_max}: so many wait or run. Ask again once one has ended")
    return errand


def require_fit(parts: Parts, caller: Caller, arguments: Arguments) -> None:
    """Raises `AccessDenied` for what is beyond who asks: another strategy, or all while they are confined to some;
    `UsageError` for what there is not.
    """
    if not arguments.within(caller.scope, parts.config().trading.account):
        raise AccessDenied("forbidden", "it is about what is beyond your scope, or about everything")
    arguments.require_known(parts.config())


def _arguments(spec: ErrandSpec, given: Mapping[str, object]) -> Arguments:
    """Raises `RequestValidationError` for what fits its fields one by one and not together."""
    try:
        return spec.arguments.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in faults]) from None


def _names_in(path: str) -> list[str]:
    return [step[1:-1] for step in path.split("/") if step.startswith("{")]


def _path_type(spec: ErrandSpec, name: str) -> object:
    """The same words, bounds and patterns in the path as anywhere."""
    field = spec.arguments.model_fields[name]
    return Annotated[(field.annotation, Path(), *field.metadata)]


def _body_of(spec: ErrandSpec, in_path: list[str]) -> type[BaseModel]:
    """The arguments that are not in the path."""
    fields = {
        name: (field.annotation, field) for name, field in spec.arguments.model_fields.items() if name not in in_path
    }
    model = create_model(f"{spec.arguments.__name__}Body", __base__=StrictBody, **fields)  # type: ignore[call-overload]
    model.__doc__ = spec.arguments.__doc__
    return cast("type[BaseModel]", model)


def _shown(errand: Errand) -> ErrandShown:
    return ErrandShown.model_validate(_tree(errand))


def _tree(errand: Errand) -> dict[str, Json]:
    return {
        "id": errand.id,
        "kind": errand.wish.kind,
        "state": errand.state,
        "asked_by": errand.wish.asked_by,
        "asked_at": isoformat(errand.asked_at_ns),
        "started_at": isoformat(errand.started_at_ns) if errand.started_at_ns else None,
        "ended_at": isoformat(errand.at_ns) if errand.ended else None,
        "progress": errand.progress,
        "share": errand.share,
        "arguments": dict(errand.wish.arguments),
        "outcome": errand.outcome,
        "error": errand.error,
    }
