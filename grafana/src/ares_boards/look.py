"""One look for all boards: colours, units, thresholds and the words that states and grades are shown by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig as Thresholds
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

GOOD, WATCH, BAD, CALM, PLAIN = "green", "orange", "red", "blue", "text"
BUY, SELL = "green", "red"

MONEY, PRICE, SHARE, BIPS = "locale", "locale", "percentunit", "suffix: bp"
SECONDS, MILLISECONDS, BYTES, MIB = "s", "ms", "bytes", "mbytes"
NUMBER, PER_SECOND, PERCENT = "short", "cps", "percent"

FIXED: Mapping[str, str] = {
    "equity": CALM,
    "capital": PLAIN,
    "realised": GOOD,
    "unrealised": CALM,
    "funding": "purple",
    "bought": BUY,
    "sold": SELL,
    "buy": BUY,
    "sell": SELL,
    "hold": PLAIN,
    "skip": "semi-dark-yellow",
    "refuse": BAD,
    "gross_exposure": CALM,
    "day_profit": CALM,
    "drawdown": WATCH,
    "FILLED": GOOD,
    "ACCEPTED": CALM,
    "SUBMITTED": "super-light-blue",
    "INTENDED": PLAIN,
    "PARTIALLY_FILLED": "light-green",
    "CANCELED": "semi-dark-yellow",
    "EXPIRED": WATCH,
    "REJECTED": BAD,
    "UNKNOWN": "dark-red",
    "p50": CALM,
    "p95": WATCH,
    "p99": BAD,
    "objective": BAD,
}
"""A word has one colour on every board."""

WORDS: Mapping[str, str] = {
    "ACTIVE": GOOD,
    "REDUCING": WATCH,
    "HALTED": BAD,
    "ok": GOOD,
    "valid": GOOD,
    "warn": WATCH,
    "fail": BAD,
    "unknown": PLAIN,
    "running": GOOD,
    "stopped": PLAIN,
    "degraded": WATCH,
    "crashed": BAD,
    "failed": BAD,
    "refused": BAD,
    "behind": WATCH,
    "suspended": BAD,
    "invalid": BAD,
    "open": BAD,
    "lost": WATCH,
    "healed": GOOD,
    "buy": BUY,
    "sell": SELL,
    "proved": GOOD,
    "copied": WATCH,
    "dropped": PLAIN,
    "asked": WATCH,
}
"""States and grades that are shown as a coloured word."""


def words() -> list[ValueMapping]:
    """The mapping of states and grades to their colours."""
    results = {
        word: ValueMappingResult(text=word, color=color, index=n) for n, (word, color) in enumerate(WORDS.items())
    }
    return [ValueMap(options=results)]


def steps(*above: tuple[float, str], base: str = GOOD) -> Thresholds:
    """A colour from each value on; `base` below the first."""
    found = [Threshold(value=None, color=base), *(Threshold(value=value, color=color) for value, color in above)]
    return Thresholds().mode(ThresholdsMode.ABSOLUTE).steps(found)


NOTHING_ALLOWED = ((1.0, BAD),)
"""Of what must not be there at all."""
OF_A_LIMIT = ((0.8, WATCH), (1.0, BAD))
"""Of a share of a limit: the trader warns from `trading.risk.soft_share` (0.8) on."""
PROFIT = ((0.0, GOOD),)
"""With a red base: what is earned is green."""


def named(names: Iterable[str]) -> str:
    """The expression by which Grafana finds exactly these names."""
    return f"/^({'|'.join(sorted(names))})$/"


def together(by_name: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(expression of names, what they share) for every shared value: one override instead of many."""
    for shared in sorted(set(by_name.values())):
        yield named(name for name, value in by_name.items() if value == shared), shared


def color(name: str) -> list[DynamicConfigValue]:
    """The property that gives a series its fixed colour."""
    return [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": name})]
