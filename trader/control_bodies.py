"""What is posted to the control port: JSON objects of texts, bounded, read into what the commander takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from uuid import uuid4

import orjson

from ares.errors import UsageError
from ares.model.market import Side
from ares.model.strategies import MANUAL
from ares.service.types import color_named
from trader.amend import Change
from trader.command_log import Order
from trader.execution.limits import Scope
from trader.handover.events import End
from trader.limits_shown import limit_wanted
from trader.manual_words import Wish
from trader.portfolio.money import to_scale

WORDS_MAX = 200
CAPITAL_MAX = Decimal(10) ** 17


@dataclass(frozen=True, slots=True)
class Body:
    """The texts of a body by their names; what is not given is empty."""

    texts: Mapping[str, str]

    @classmethod
    def read(cls, body: bytes) -> Body:
        """Raises ValueError for what is not a JSON object of short texts."""
        given = orjson.loads(body) if body else {}
        if not isinstance(given, dict):
            raise ValueError("body: a JSON object is expected")
        texts: dict[str, str] = {}
        for name, value in given.items():
            if not isinstance(value, str) or len(value) > WORDS_MAX:
                raise ValueError(f"{name}: text of at most {WORDS_MAX} characters is expected")
            texts[str(name)] = value
        return cls(texts)

    def text(self, name: str, default: str = "") -> str:
        """A text, or the default where it is not given."""
        return self.texts.get(name, default)

    def order(self) -> Order:
        """Who orders and why; both may be left out."""
        return Order(self.text("actor", "unknown"), self.text("reason"))

    def wish(self) -> Wish:
        """The order that is asked for. Raises `UsageError` naming field, value and way out."""
        return Wish(
            symbol=self.text("symbol"),
            side=self._side(),
            quantity=self._number("quantity"),
            price=self._number("price") if self.text("price") else None,
            strategy=self.text("strategy") or MANUAL,
            key=self.text("id") or uuid4().hex,
        )

    def change(self) -> Change:
        """What an order shall be. Raises `UsageError` naming field, value and way out."""
        if not (self.text("quantity") or self.text("price")):
            raise UsageError("quantity = '', price = '': neither is given. Say what to change")
        return Change(
            self._number("quantity") if self.text("quantity") else None,
            self._number("price") if self.text("price") else None,
        )

    def movement(self) -> tuple[str, Decimal]:
        """A movement's id and amount, in quote. Raises `UsageError` naming field, value and way out."""
        movement_id, text = self.text("id"), self.text("amount")
        if not movement_id:
            raise UsageError(f"id = {movement_id!r}: a text is expected, one for each movement")
        try:
            amount = Decimal(text)
        except InvalidOperation:
            raise UsageError(f"amount = {text!r}: a decimal number is expected, in quote currency") from None
        if not (amount.is_finite() and 0 < abs(amount) < CAPITAL_MAX and to_scale(amount) == amount):
            raise UsageError(f"amount = {text!r}: not 0, below {CAPITAL_MAX:f}, of at most ten digits after the point")
        return movement_id, amount

    def limit(self) -> tuple[Scope, Decimal | None]:
        """The limit that is meant, and its value: None to let the setting hold. Raises `UsageError`."""
        return limit_wanted(self.texts)

    def names(self, field: str) -> frozenset[str]:
        """Words between commas."""
        return frozenset(name for each in self.text(field).split(",") if (name := each.strip()))

    def color(self, field: str) -> str:
        """A trader's colour. Raises `UsageError` naming field, value and way out."""
        return color_named(field, self.text(field))

    def handover_end(self) -> tuple[str, End]:
        """Which hand-over ended, and how. Raises `UsageError` naming field, value and way out."""
        match self.text("end"):
            case "well" | "sick" | "refused" as end:
                return self.text("handover_id"), end
            case other:
                raise UsageError(f"end = {other!r}: not one of well, sick, refused. Say which")

    def _side(self) -> Side:
        match self.text("side"):
            case "buy":
                return "buy"
            case "sell":
                return "sell"
            case other:
                raise UsageError(f"side = {other!r}: neither buy nor sell. Say which")

    def _number(self, name: str) -> Decimal:
        given = self.text(name)
        try:
            number = Decimal(given)
        except InvalidOperation:
            number = Decimal("NaN")
        # Ten digits are what books and rows hold; the bound keeps remainders exact.
        if not number.is_finite() or not 0 < number < Decimal("1e15") or number != round(number, 10):
            raise UsageError(f"{name} = {given!r}: not a number above 0 with at most ten decimals. Example: 0.001")
        return number
