"""What is tried: a grid of values, each combination a series and settings of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from itertools import product

from ares.errors import UnknownName, UsageError
from backtest.fast.screen import Screened, Series, screen
from backtest.fast.settings import FastSettings

TRIALS_MAX = 10_000
Values = Mapping[str, str]
BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination: its values by name, as they were written, and what they make of series and settings."""

    values: Values
    series: Series
    settings: FastSettings

    def run(self, first: int = 0, last: int | None = None) -> Screened:
        """Over the bars from `first` up to, not including, `last`."""
        count = len(self.series.ts)
        whole = first == 0 and last in {None, count}
        part = self.series if whole else self.series.part(first, count if last is None else last)
        return screen(part, self.settings)


def combinations(over: Mapping[str, Sequence[str]]) -> list[Values]:
    """Every combination of the values. Raises `UsageError` for more than 10,000."""
    count = 1
    for name, values in over.items():
        if not values:
            raise UsageError(f"--over {name}: no value. Write it as {name}=1,2,3")
        count *= len(values)
    if count > TRIALS_MAX:
        raise UsageError(f"--over: {count} combinations, and {TRIALS_MAX} are the most. Take fewer values")
    return [dict(zip(over, each, strict=True)) for each in product(*over.values())]


def parsed(over: Sequence[str]) -> dict[str, list[str]]:
    """`name=1,2,3` as names and values. Raises `UsageError`."""
    found: dict[str, list[str]] = {}
    for text in over:
        name, equals, values = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--over = {text!r}: write it as name=1,2,3")
        if name.strip() in found:
            raise UsageError(f"--over {name.strip()}: named twice. Give all its values at once")
        found[name.strip()] = [value.strip() for value in values.split(",") if value.strip()]
    return found


def with_values(settings: FastSettings, values: Values) -> FastSettings:
    """The settings with some of them set otherwise. Raises `UnknownName`, `UsageError`."""
    for name, text in values.items():
        if name not in SETTERS:
            raise UnknownName("setting", name, [*sorted(SETTERS), "@parameter of the view"])
        settings = SETTERS[name](settings, _number(name, text))
    return settings


def _number(name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise UsageError(f"--over {name}: {text!r} is no number of 0 or more")
    return value


def _limit(name: str) -> Callable[[FastSettings, Decimal], FastSettings]:
    return lambda settings, value: replace(settings, limits=settings.limits.with_values({name: value}))


def _cost(name: str, unit: Decimal) -> Callable[[FastSettings, Decimal], FastSettings]:
    return lambda settings, value: replace(settings, costs=replace(settings.costs, **{name: value / unit}))


SETTERS: Mapping[str, Callable[[FastSettings, Decimal], FastSettings]] = {
    "max_position_quote": lambda settings, value: replace(settings, max_position_quote=value),
    "rebalance_share_min": lambda settings, value: replace(settings, rebalance_share_min=value),
    "slippage_max": lambda settings, value: replace(settings, slippage_max=value),
    "start_quote": lambda settings, value: replace(settings, start_quote=value),
    **{
        name: _limit(name)
        for name in (
            *("order_notional_quote_max", "position_quote_max", "gross_exposure_quote_max", "concentration_max"),
            *("leverage_max", "drawdown_max", "daily_loss_quote_max"),
        )
    },
    "taker_fee": _cost("taker_fee", Decimal(1)),
    "half_spread_bps": _cost("half_spread", BPS),
    "slippage_bps": _cost("slippage", BPS),
}
"""What can be tried beside parameters of the strategy's view, by the name of its setting."""
