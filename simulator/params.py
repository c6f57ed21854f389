"""Parameters of a request as the venue reads them, with its refusals for what is missing or malformed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation

from simulator.matching.types import Refusal


class Params:
    """Text by name. Every getter raises `Refusal` with the venue's code."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        return bool(self._values.get(name))

    def of(self, names: Collection[str]) -> dict[str, str]:
        """Those of these names that are there."""
        return {name: value for name, value in self._values.items() if name in names and value}

    def maybe(self, name: str) -> str | None:
        """The text, or None when it is absent or empty."""
        return self._values.get(name) or None

    def text(self, name: str) -> str:
        """The text; it must be there."""
        value = self.maybe(name)
        if value is None:
            raise missing(name)
        return value

    def integer(self, name: str) -> int | None:
        """A whole number, or None when absent."""
        value = self.maybe(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 20):
            legal = "^[0-9]{1,20}$"
            raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """`limit`, brought down to what is allowed."""
        value = self.integer("limit")
        if value == 0:
            raise Refusal(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(most, default if value is None else value)

    def decimal(self, name: str) -> Decimal | None:
        """A positive or zero decimal number, or None when absent."""
        value = self.maybe(name)
        if value is None:
            return None
        legal = value.replace(".", "", 1)
        if not (legal.isascii() and legal.isdigit() and len(value) <= 40):
            raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{_NUMBER}'.")
        try:
            return Decimal(value)
        except InvalidOperation:  # pragma: no cover - the check above lets only digits and one point pass
            raise missing(name) from None


_NUMBER = "^([0-9]{1,20})(\\.[0-9]{1,20})?$"


def require_one(params: Params, client_id: str, venue_id: str) -> None:
    """Something must be named by its client's id or the venue's. Raises `Refusal`."""
    if not (params.has(client_id) or params.has(venue_id)):
        raise Refusal(-1102, f"Param '{client_id}' or '{venue_id}' must be sent, but both were empty/null!")


def missing(name: str) -> Refusal:
    """A mandatory parameter is not there."""
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
