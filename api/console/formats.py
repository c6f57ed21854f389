"""How figures and moments are written for people: by an instrument's precision, in the reader's zone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from math import isfinite
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ares.clock import NANOS_PER_SECOND
from ares.store import Value

NONE = "–"
MINUS = "−"
PLACES_MAX = 10
MONEY_PLACES = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Steps:
    """How many decimals an instrument has."""

    price: int = MONEY_PLACES
    amount: int = 6


@dataclass(frozen=True, slots=True)
class Precision:
    """Decimals of instruments by venue and symbol; of one that nobody listed usual ones."""

    of: Mapping[tuple[str, str], Steps] = field(default_factory=dict)

    def steps(self, venue: object, symbol: object) -> Steps:
        """An instrument's; where the venue is not told, any venue's."""
        found = self.of.get((str(venue), str(symbol)))
        if found is None and not venue:
            found = next((steps for (_, name), steps in self.of.items() if name == symbol), None)
        return found or Steps()


def places(step: Value) -> int:
    """Decimals of a step.

    >>> places(Decimal("0.0100")), places(Decimal("1E-5")), places(Decimal(10))
    (2, 5, 0)
    """
    if not isinstance(step, Decimal | float | int) or not step or not isfinite(step):
        return MONEY_PLACES
    exponent = Decimal(str(step)).normalize().as_tuple().exponent
    return min(max(0, -int(exponent)), PLACES_MAX)


def number(value: Value, decimals: int, *, sign: bool = False) -> str:
    """A figure with so many decimals, thousands apart; `sign`: with a plus where it is above 0.

    >>> number(Decimal("-1234.5"), 2), number(0.25, 3, sign=True), number(None, 2), number(float("nan"), 2)
    ('−1,234.50', '+0.250', '–', '–')
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | float | int) or not isfinite(value):
        return NONE
    rounded = round(Decimal(str(value)), decimals)
    text = f"{abs(rounded):,.{decimals}f}"
    if rounded < 0:
        return MINUS + text
    return f"+{text}" if sign and rounded else text


def figure(value: Value, digits: int = 6) -> str:
    """A figure of no known precision, with so many digits that say something.

    >>> figure(0.000123456789), figure(-12345.678), figure(12_345_678.0), figure(0.0), figure(None)
    ('0.000123457', '−12,345.7', '12,345,678', '0', '–')
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | float | int) or not isfinite(value):
        return NONE
    exact = Decimal(str(value))
    decimals = max(0, min(digits - 1 - exact.adjusted(), 2 * digits)) if exact else 0
    text = number(exact, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def share(value: Value, decimals: int = 2, *, sign: bool = False) -> str:
    """A share of one, in per cent.

    >>> share(0.1234), share(-0.05, 1, sign=True)
    ('12.34 %', '−5.0 %')
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | float | int) or not isfinite(value):
        return NONE
    return f"{number(value * 100, decimals, sign=sign)} %"


def moment(ns: Value, zone: tzinfo, *, now_ns: int | None = None) -> str:
    """A moment (UTC ns) in a zone: of today only its time, if `now_ns` is given.

    >>> moment(1_700_000_000_123_000_000, UTC)
    '2023-11-14 22:13:20.123'
    """
    if not isinstance(ns, int) or isinstance(ns, bool):
        return NONE
    there = at(ns, zone)
    text = there.strftime("%H:%M:%S") + f".{there.microsecond // 1000:03d}"
    if now_ns is not None and at(now_ns, zone).date() == there.date():
        return text
    return f"{there:%Y-%m-%d} {text}"


def at(ns: int, zone: tzinfo) -> datetime:
    """A moment in a zone, to the microsecond."""
    return (_EPOCH + timedelta(microseconds=ns // 1000)).astimezone(zone)


def since(ns: Value, now_ns: int) -> str:
    """How long ago.

    >>> [since(0, s * 10**9) for s in (4, 130, 7_300, 200_000)]
    ['4 s', '2 min', '2 h', '2 d']
    """
    if not isinstance(ns, int) or isinstance(ns, bool):
        return NONE
    return duration((now_ns - ns) / NANOS_PER_SECOND)


def duration(seconds: Value) -> str:
    """Seconds in the unit that people would take.

    >>> duration(0.25), duration(59.6), duration(3_599), duration(90_000), duration(200_000)
    ('250 ms', '60 s', '59 min', '25 h', '2 d')
    """
    if isinstance(seconds, bool) or not isinstance(seconds, Decimal | float | int) or not isfinite(seconds):
        return NONE
    value = float(seconds)
    if 0 < value < 1:
        return f"{value * 1000:.0f} ms"
    for unit, size, limit in (("s", 1, 100), ("min", 60, 3_600), ("h", 3_600, 172_800)):
        if abs(value) < limit:
            return f"{value / size:.0f} {unit}" if unit == "s" else f"{int(value // size)} {unit}"
    return f"{int(value // 86_400)} d"


def zone_of(name: str) -> tzinfo:
    """The zone of a browser; UTC for what is none.

    >>> str(zone_of("Europe/Vienna")), str(zone_of("../etc/passwd"))
    ('Europe/Vienna', 'UTC')
    """
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
