"""A type of event: its name, the version of its shape, the struct it is read into, and how older versions become it."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import orjson
from pydantic import TypeAdapter, ValidationError

from ares.control import Json, NewEvent
from ares.errors import EventUnreadable

B = TypeVar("B")
Payload = Mapping[str, Json]
Upcast = Callable[[Payload], Payload]
"""From the payload of one version to the payload of the next; it must not lose what was written."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Why an event is: the piece of work, the event that led to it, and what subscribers filter by."""

    correlation_id: str = ""
    causation_id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


NOWHERE = Origin()


class EventType(Generic[B]):
    """One type of event of one category of streams. `example` is of the struct that bodies of this type are.

    A struct is a frozen dataclass of text, integers, decimals, enums, literals, JSON and structs; its docstring is the
    type's documentation. Whoever changes its shape raises `version` and adds the upcast from the version before.
    """

    def __init__(
        self,
        category: str,
        name: str,
        example: B,
        *,
        upcasts: Mapping[int, Upcast] | None = None,
    ) -> None:
        self.category = category
        self.name = name
        self.example = example
        self.upcasts = dict(upcasts or {})
        self.version = len(self.upcasts) + 1
        assert sorted(self.upcasts) == list(range(1, self.version)), f"{self.full_name}: an upcast is missing"
        self._adapter: TypeAdapter[B] = TypeAdapter(type(example))

    @property
    def full_name(self) -> str:
        """The name among all types."""
        return f"{self.category}.{self.name}"

    @property
    def purpose(self) -> str:
        """What the struct's docstring says."""
        return " ".join((type(self.example).__doc__ or "").split())

    def new(self, body: B, ts_ns: int, origin: Origin = NOWHERE) -> NewEvent:
        """An event of this type, to be appended to a stream of its category."""
        return NewEvent(
            type=self.name,
            ts_ns=ts_ns,
            payload=self.dump(body),
            version=self.version,
            correlation_id=origin.correlation_id,
            causation_id=origin.causation_id,
            attributes=origin.attributes,
        )

    def dump(self, body: B) -> dict[str, Json]:
        """A body as its payload: decimals and enums as text."""
        return cast("dict[str, Json]", self._adapter.dump_python(body, mode="json"))

    def load(self, payload: Payload, version: int) -> B:
        """The body of a payload of any version. Raises `EventUnreadable`."""
        if not 1 <= version <= self.version:
            raise EventUnreadable(f"{self.full_name} version {version}: this release knows up to {self.version}")
        try:
            for number in range(version, self.version):
                payload = self.upcasts[number](payload)
            return self._adapter.validate_json(orjson.dumps(dict(payload)), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise EventUnreadable(f"{self.full_name} version {version}: {place}: {first['msg']}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EventUnreadable(f"{self.full_name} version {version}: cannot be upcast: {error!r}") from None

    def sample(self) -> dict[str, Json]:
        """The example as its payload."""
        return self.dump(self.example)

    def shape(self) -> Json:
        """The names and kinds of the struct's fields, recursively: what a version promises to its readers."""
        return shape_of(type(self.example))


def shape_of(kind: object) -> Json:
    """A type as JSON: structs by their fields (those with a default end in "?"), enumerations by their values."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return {"struct": {_field_name(each): shape_of(hints[each.name]) for each in dataclasses.fields(kind)}}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [*sorted(str(each.value) for each in kind)]}
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return {"enum": [*sorted(str(each) for each in arguments)]}
    if origin in (types.UnionType, typing.Union):
        return {"union": [shape_of(each) for each in arguments]}
    if origin is not None:
        return {origin.__name__: [shape_of(each) for each in arguments]}
    return getattr(kind, "__name__", str(kind))


def _field_name(each: dataclasses.Field[object]) -> str:
    required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    return each.name if required else f"{each.name}?"


def breaks(recorded: Json, current: Json, path: str = "") -> Iterator[str]:
    """Why payloads of the recorded shape may be unreadable, or lose something, as the current shape, in sentences.

    What may change within a version: values added to an enumeration, fields added that have a default.
    """
    match recorded, current:
        case {"struct": dict(before)}, {"struct": dict(after)}:
            before_by_name, after_by_name = ({name.rstrip("?"): name for name in each} for each in (before, after))
            for name, full in before_by_name.items():
                if name not in after_by_name:
                    yield f"{path}{name} is gone"
                else:
                    yield from breaks(before[full], after[after_by_name[name]], f"{path}{name}.")
            for name, full in after_by_name.items():
                if name not in before_by_name and not full.endswith("?"):
                    yield f"{path}{name} is new and has no default"
        case {"enum": list(before)}, {"enum": list(after)}:
            for value in before:
                if value not in after:
                    yield f"{path[:-1]} can no longer be {value!r}"
        case _:
            if recorded != current:
                yield f"{path[:-1]} was {recorded}, is {current}"
