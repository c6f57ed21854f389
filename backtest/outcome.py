"""What a backtest says, whichever tier said it: fills and equity, from which every figure is computed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

import numpy as np

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
Tier = Literal["fast", "exact"]
Side = Literal["buy", "sell"]
Liquidity = Literal["maker", "taker"]


class Fill(NamedTuple):
    """An execution. `ts_ns` is the venue's, UTC; `fee` is in the quote currency, positive where it was paid."""

    ts_ns: int
    symbol: str
    side: Side
    amount: Decimal
    price: Decimal
    fee: Decimal
    liquidity: Liquidity
    order_id: str


@dataclass(frozen=True, slots=True)
class Tested:
    """What was tested: one version of a strategy on one venue's symbols, from `from_ns` up to, not including, `to_ns`.

    `data_hash` stands for the rows that were read, `code_hash` for the code and settings that read them: two outcomes
    in which both and all the rest are equal are one outcome.
    """

    strategy: str
    version: int
    venue: str
    symbols: tuple[str, ...]
    from_ns: int
    to_ns: int
    start_quote: Decimal
    data_hash: str
    code_hash: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One backtest. `equity` is the account's worth in the quote currency at `equity_ts`: the closes of bars, UTC ns.

    `refusals` counts the orders that were wanted and not sent, by the rule that refused them.
    """

    tier: Tier
    tested: Tested
    fills: tuple[Fill, ...]
    equity_ts: Ints
    equity: Floats
    refusals: Mapping[str, int]
