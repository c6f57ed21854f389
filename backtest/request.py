"""What a person asked to be tested, checked and completed: which strategy and version, of which symbols, when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ares.config import AresConfig
from ares.config.trading import StrategyConfig, TradingConfig
from ares.errors import UnknownName, UnknownSymbol, UsageError
from ares.lake.columns import read_columns
from backtest.inputs import QUERIES, Scope
from backtest.outcome import Tier

VERSIONED = re.compile(r"^(?P<name>.+)_v(?P<version>[1-9][0-9]*)$")


@dataclass(frozen=True, slots=True)
class Request:
    """As it was asked: `strategy` with or without `_vN`, `symbols` empty for all that it has signals of."""

    strategy: str
    venue: str
    symbols: tuple[str, ...]
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Wishes:
    """How it is to be tested. Money in the quote currency; `position`: the size at target 1; None: as configured."""

    tier: Tier = "exact"
    cash: Decimal = Decimal(20_000)
    position: Decimal | None = None
    latency_s: float = 0.05
    half_spread_bps: Decimal = Decimal("0.5")
    slippage_bps: Decimal = Decimal(0)
    depth_share: Decimal | None = None


def scope_of(config: AresConfig, asked: Request) -> Scope:
    """Ask the database what there is. Raises `UnknownName`, `UnknownSymbol`, `UsageError`, `StoreError`."""
    if asked.from_ns >= asked.to_ns:
        raise UsageError("--from, --to: the range is empty. --to comes after --from, and does not belong to it")
    there = read_columns(config.database, QUERIES["strategies"], {"venue": asked.venue})
    rows = list(zip(there.texts("strategy"), there.integers("version").tolist(), there.texts("symbol"), strict=True))
    name, version = _version(asked.strategy, [(str(strategy), int(number)) for strategy, number, _ in rows])
    known = sorted({str(symbol) for strategy, number, symbol in rows if (strategy, number) == (name, version)})
    for symbol in asked.symbols:
        if symbol not in known:
            raise UnknownSymbol(asked.venue, symbol, known)
    return Scope(asked.venue, name, version, asked.symbols or tuple(known), asked.from_ns, asked.to_ns)


def _version(strategy: str, there: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """The version that is named, or the newest that has signals. Raises `UnknownName`."""
    named = VERSIONED.match(strategy)
    if named is not None and (named["name"], int(named["version"])) in there:
        return named["name"], int(named["version"])
    versions = [version for name, version in there if name == strategy]
    if not versions:
        raise UnknownName("strategy", strategy, sorted({f"{name}_v{version}" for name, version in there}))
    return strategy, max(versions)


def trading_of(config: TradingConfig, scope: Scope, position: Decimal | None) -> TradingConfig:
    """The trader's settings with this strategy in them; `position`: its size at target 1, where it is to be another."""
    mine = [s for s in config.strategies if (s.name, s.version) == (scope.strategy, scope.version)]
    if position is not None:
        known = mine[0] if mine else StrategyConfig(name=scope.strategy, max_position_quote=position)
        changes = {"version": scope.version, "max_position_quote": position}
        return config.model_copy(update={"strategies": (known.model_copy(update=changes),)})
    if not mine:
        what = f"strategy = '{scope.strategy}_v{scope.version}': trading.strategies does not say how large it trades"
        raise UsageError(f"{what}. Name it by --position, in the quote currency, such as --position 4000")
    return config.model_copy(update={"strategies": tuple(mine)})


def decimal_of(option: str, text: str) -> Decimal:
    """A figure of a command line, exact. Raises `UsageError`."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise UsageError(f"{option} = {text!r}: no number. Write it as 20000 or 0.5")
    return value
