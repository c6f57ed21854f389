"""Figures as people read them on a telephone: no zeros that say nothing, thousands apart, moments of UTC. Pure."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from ares.clock import DAY_NS, floor_ns, to_datetime


def number(value: Decimal) -> str:
    """
    >>> number(Decimal("62598.20")), number(Decimal("0.0150000000")), number(Decimal("1E+3"))
    ('62,598.2', '0.015', '1,000')
    """
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimals(value: Decimal) -> int:
    """How many places behind the point say something.

    >>> decimals(Decimal("62598.20")), decimals(Decimal(1000))
    (1, 0)
    """
    return max(0, -int(value.normalize().as_tuple().exponent))


def average(cost: Decimal, quantity: Decimal, places: int) -> str:
    """A price on average, as exact as the instrument's own.

    >>> average(Decimal("3129.91"), Decimal("0.05"), 2)
    '62,598.2'
    """
    return number(round(cost / quantity, places)) if quantity else "0"


def moment(ns: int, now_ns: int) -> str:
    """A moment of UTC; with its day where that is not today's.

    >>> moment(1_795_464_293_163_246_859, 1_795_464_300_000_000_000)
    '20:04:53 UTC'
    >>> moment(1_795_364_293_163_246_859, 1_795_464_300_000_000_000)
    '2026-11-22 16:18:13 UTC'
    """
    today = floor_ns(ns, DAY_NS) == floor_ns(now_ns, DAY_NS)
    return f"{to_datetime(ns):{'%H:%M:%S' if today else '%Y-%m-%d %H:%M:%S'}} UTC"


def span(seconds: float) -> str:
    """
    >>> span(75.4), span(7_200)
    ('0:01:15', '2:00:00')
    """
    return str(timedelta(seconds=int(seconds)))
