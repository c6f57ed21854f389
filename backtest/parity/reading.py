"""What a day's comparison reads: live decisions, how the day began, and what happened around them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ares.clock import DAY_NS, NANOS_PER_SECOND, to_datetime
from ares.config import AresConfig
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_float, as_int, as_str
from backtest.parity.compare import Decided, Evidence, Key
from trader.risk import TradingState

QUERIES = load_queries("backtest", "queries/parity.sql")
BEATS_MISSED_MAX = 3


@dataclass(frozen=True, slots=True)
class Whose:
    """One version of a strategy, and the symbols it decided on that day."""

    strategy: str
    version: int
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """How the day began: money in the quote currency, holdings in base by symbol, the trading state."""

    cash: Decimal | None
    holdings: dict[str, Decimal]
    state: TradingState


class DayReader:
    """Reads one day (UTC, from `day_ns`) of the account of these settings. Raises as a `Database` does."""

    def __init__(self, config: AresConfig, database: Database, day_ns: int) -> None:
        self._config = config
        self._database = database
        self._day_ns = day_ns
        trading = config.trading
        self._scope: dict[str, Param] = {
            "from": to_datetime(day_ns),
            "to": to_datetime(day_ns + DAY_NS),
            "account": trading.account,
            "venue": trading.venue,
        }

    async def strategies(self) -> list[Whose]:
        """Everything that was decided on that day."""
        symbols: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
        for row in await self._rows("strategies"):
            symbols[as_str(row["strategy"]), as_int(row["version"])].append(as_str(row["symbol"]))
        return [Whose(*name, tuple(sorted(found))) for name, found in sorted(symbols.items())]

    async def live(self, whose: Whose) -> list[Decided]:
        """Its decisions in order."""
        return [decided_of(row) for row in await self._rows("live", whose)]

    async def opening(self, whose: Whose) -> Opening:
        """What it began the day with."""
        cash = await self._rows("cash", currency=self._config.trading.quote_currency)
        state = await self._rows("state")
        held = {as_str(row["symbol"]): decimal_of(row["quantity"]) for row in await self._rows("holdings", whose)}
        return Opening(
            decimal_of(cash[0]["cash"]) if cash else None,
            {symbol: amount for symbol, amount in held.items() if amount > 0 and symbol in whose.symbols},
            TradingState(as_str(state[0]["state"])) if state else TradingState.ACTIVE,
        )

    async def evidence(self, whose: Whose, not_played: frozenset[str]) -> Evidence:
        """What happened that may tell why a replay differs."""
        simulated = await self._rows("simulated", whose)
        refusals: defaultdict[str, list[int]] = defaultdict(list)
        for row in await self._rows("refusals", whose):
            refusals[as_str(row["symbol"])].append(as_int(row["ts_ns"]))
        silence_ns = round(self._config.monitoring.heartbeat_s * BEATS_MISSED_MAX * NANOS_PER_SECOND)
        return Evidence(
            simulated=frozenset(Key(as_str(r["symbol"]), as_int(r["signal_ts_ns"])) for r in simulated),
            away=away(await self._rows("heartbeats"), silence_ns),
            by_hand=[as_int(row["ts_ns"]) for row in await self._rows("by_hand")],
            limits=[as_int(row["ts_ns"]) for row in await self._rows("limits")],
            refusals=refusals,
            not_played=not_played,
        )

    async def summary(self) -> list[Record]:
        """What came of the day's comparisons."""
        return await self._rows("newest")

    async def _rows(self, query: str, whose: Whose | None = None, **more: Param) -> list[Record]:
        about: dict[str, Param] = {} if whose is None else {"strategy": whose.strategy, "version": whose.version}
        return await self._database.fetch(QUERIES[query], {**self._scope, **about, **more})


def away(beats: Sequence[Record], silence_ns: int) -> list[tuple[int, int]]:
    """When no trader was at work: between its last beat and the first of the next process, or after a long silence.

    Where nothing ever beat nothing is concluded: the heartbeats of a day leave after 30.
    """
    found: list[tuple[int, int]] = []
    for before, after in itertools.pairwise(beats):
        other = (before["instance"], before["pid"]) != (after["instance"], after["pid"])
        began_ns, ended_ns = as_int(before["ts_ns"]), as_int(after["ts_ns"])
        if other or before["state"] == "stopped" or ended_ns - began_ns > silence_ns:
            found.append((began_ns, ended_ns))
    return found


def decided_of(row: Record) -> Decided:
    """A row of `decisions`."""
    return Decided(
        as_int(row["ts_ns"]),
        Key(as_str(row["symbol"]), as_int(row["signal_ts_ns"])),
        as_int(row["known_at_ns"]),
        as_str(row["action"]),
        str(row["reason"] or ""),
        as_str(row["state"]),
        str(row["rule"] or ""),
        None if row["target"] is None else as_float(row["target"]),
        None if row["mark"] is None else decimal_of(row["mark"]),
        None if row["order_quantity"] is None else decimal_of(row["order_quantity"]),
    )


def decimal_of(value: object) -> Decimal:
    """A cell that must hold money or a quantity."""
    assert isinstance(value, Decimal), f"a decimal is expected, not {value!r}"
    return value.normalize() + 0
