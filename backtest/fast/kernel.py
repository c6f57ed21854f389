"""The loop over bars: sizing, limits, orders at the next open, fees. Compiled; which rules it knows says the guide.

Coins are counted in whole units of 1e-8, prices in whole ticks: a fill is equal to the trader's, not near it. Cash is a
float. What the trader works out in decimals is worked out in floats here, so what lies within `HAIR` of a border lies
on it.
"""

from __future__ import annotations

from math import ceil, floor, isnan
from typing import NamedTuple

import numpy as np

from backtest.fast.compiled import compiled
from backtest.outcome import Floats, Ints

UNITS = 1e8
"""Units of a coin: what venues count to."""
HAIR, EPSILON = 1e-11, 1e-14
"""How far a float may lie from the decimal that it stands for: so much, and so much of it."""
SHARE_HALF = 5e-11
"""Shares are compared at ten digits, rounded half up: `trader.portfolio.money.to_scale`."""
FEE_SET_ASIDE = 1.001
"""`trader.risk.rules.buying_power`: price and a fee."""
DAY_NS = 86_400_000_000_000

REFUSALS = (
    "PriceCollar", "SpreadLimit", "OrderNotionalLimit", "PositionLimit", "StrategyExposureLimit", "GrossExposureLimit",
    "NetExposureLimit", "ConcentrationLimit", "LeverageLimit", "DailyLossLimit", "DrawdownLimit", "BuyingPower",
)  # fmt: skip
"""The trader's rules, in its order; the kernel says the number of the first one that refuses."""
PASSED = -1


class Rules(NamedTuple):
    """Settings of all symbols; quote, shares of 1, infinity where not limited. `market` orders have no worst price."""

    market: bool
    max_position: float
    rebalance_share: float
    slippage_max: float
    half_spread: float
    slippage: float
    taker_fee: float
    price_collar: float
    spread_max: float
    order_notional_max: float
    position_max: float
    strategy_exposure_max: float
    gross_exposure_max: float
    net_exposure_max: float
    concentration_max: float
    leverage_max: float
    daily_loss_max: float
    drawdown_max: float


class Grids(NamedTuple):
    """By symbol: tick (quote), steps and most of an amount (units), least cost (quote)."""

    tick: Floats
    step: Ints
    amount_max: Ints
    cost_min: Floats


class Grid(NamedTuple):
    """The same of one symbol."""

    tick: float
    step: int
    amount_max: int
    cost_min: float


class Prices(NamedTuple):
    """By bar and symbol; NaN where nothing was traded. `ts` (UTC ns) is a bar's start, `decided` its end."""

    ts: Ints
    decided: Ints
    open: Floats
    close: Floats
    targets: Floats


class Book(NamedTuple):
    """What the loop writes: fills by number (bar, symbol, units below 0 where sold, ticks), worth at closes, refusals.

    `expired` counts orders that were sent and met a price beyond their limit, no price, or too little cash.
    """

    bar: Ints
    symbol: Ints
    units: Ints
    ticks: Ints
    equity: Floats
    refused: Ints
    expired: Ints


class State(NamedTuple):
    """By symbol: what is held and what the order that waits asks for (units), its worst price (ticks), the mark (the
    middle of bid and ask, both on the grid) and the last close.
    """

    held: Ints
    orders: Ints
    worst: Ints
    marks: Floats
    last: Floats


class Account(NamedTuple):
    """What is there at a bar's end, before anything is decided, in quote."""

    cash: float
    equity: float
    day_loss: float
    drawdown: float
    gross: float


@compiled
def down(value: float) -> int:
    """The whole number below, or the one that is meant."""
    return floor(value + abs(value) * EPSILON + HAIR)


@compiled
def up(value: float) -> int:
    """The whole number above, or the one that is meant."""
    return ceil(value - abs(value) * EPSILON - HAIR)


@compiled
def above(value: float, limit: float) -> bool:
    """Whether a value lies above a limit, and not on it."""
    return value > limit + limit * EPSILON + HAIR


@compiled
def wanted(target: float, held: int, mark: float, grid: Grid, rules: Rules) -> int:
    """The order for a target, in units, below 0 to sell, 0 for none: `trader.portfolio.sizing.size` without shorts."""
    step = grid.step
    most = 0
    if target > 0:
        most = step * down(min(target, 1.0) * rules.max_position * UNITS / (mark * step))
    difference = most - held
    if most == 0:
        if held < step:
            return 0
    elif abs(difference) * mark < rules.rebalance_share * rules.max_position * UNITS * (1 - EPSILON):
        return 0
    units = min(abs(difference), grid.amount_max) // step * step
    if difference < 0:
        units = min(units, step * down(rules.order_notional_max * UNITS / (mark * step)))
    worst = min(limit_ticks(difference > 0, mark, grid.tick, rules) * grid.tick, mark)
    if units * worst < grid.cost_min * UNITS * (1 - EPSILON):
        return 0
    return units if difference > 0 else -units


@compiled
def limit_ticks(buys: bool, mark: float, tick: float, rules: Rules) -> int:
    """The worst price that is taken, in ticks."""
    if buys:
        return down(mark * (1 + rules.slippage_max) / tick)
    return up(mark * (1 - rules.slippage_max) / tick)


@compiled
def exposed(  # noqa: PLR0911 -- one way out a rule, in the trader's order
    value: float, position: float, account: Account, under_way: float, rules: Rules
) -> int:
    """Which limit on positions refuses a purchase worth `value` on top of a position worth `position`, in quote."""
    gross = account.gross + under_way + value
    if above(gross, rules.strategy_exposure_max):
        return 4
    if above(gross, rules.gross_exposure_max):
        return 5
    if above(gross, rules.net_exposure_max):
        return 6
    if account.equity <= 0 or (position + value) / account.equity >= rules.concentration_max + SHARE_HALF:
        return 7
    if gross / account.equity >= rules.leverage_max + SHARE_HALF:
        return 8
    if account.day_loss >= rules.daily_loss_max:
        return 9
    if account.drawdown / (account.equity + account.drawdown) >= rules.drawdown_max + SHARE_HALF:
        return 10
    return 11 if above(value * FEE_SET_ASIDE, account.cash - under_way) else PASSED


@compiled
def refusal(
    units: int, held: int, mark: float, price: float, spread: float, account: Account, under_way: float, rules: Rules
) -> int:
    """The number of the first rule that refuses an order, or `PASSED`. Sales pass all but the collar."""
    if abs(price - mark) / mark >= rules.price_collar + SHARE_HALF:
        return 0
    if units < 0:
        return PASSED
    if spread >= rules.spread_max + SHARE_HALF:
        return 1
    value = units / UNITS * price
    if above(value, rules.order_notional_max):
        return 2
    if above((held + units) / UNITS * max(mark, price), rules.position_max):
        return 3
    return exposed(value, held / UNITS * mark, account, under_way, rules)


@compiled
def middle(close: float, tick: float, half_spread: float) -> float:
    """The middle of bid and ask around a close, both on the grid."""
    if half_spread == 0:
        return close
    return (down(close * (1 - half_spread) / tick) + up(close * (1 + half_spread) / tick)) * tick / 2


@compiled
def stays(target: float, held: int, mark: float, step: int, rules: Rules) -> bool:
    """Whether nothing is to be done, as can be told without the grid: what nearly every bar comes to."""
    if isnan(target) or isnan(mark):
        return True
    wish = min(max(target, 0.0), 1.0)
    if wish == 0:
        return held < step
    value = wish * rules.max_position - held / UNITS * mark
    near = rules.rebalance_share * rules.max_position - 2 * step / UNITS * mark
    return abs(value) < near and wish * rules.max_position > mark * step / UNITS * 2


@compiled
def decide(target: float, held: int, mark: float, close: float, account: Account, under_way: float,
           grid: Grid, rules: Rules, refused: Ints) -> tuple[int, int, float]:  # fmt: skip
    """The order of one symbol at a bar's end: units, worst price in ticks, and what of cash it may take."""
    units = wanted(target, held, mark, grid, rules)
    if units == 0:
        return 0, 0, 0.0
    ticks = limit_ticks(units > 0, mark, grid.tick, rules)
    price = ticks * grid.tick
    bid = down(close * (1 - rules.half_spread) / grid.tick)
    ask = up(close * (1 + rules.half_spread) / grid.tick)
    why = refusal(units, held, mark, price, (ask - bid) * grid.tick / mark, account, under_way, rules)
    if why >= 0:
        refused[why] += 1
        return 0, 0, 0.0
    counted = mark if rules.market else max(price, mark)  # one at market names no price: it counts at the mark
    return units, ticks, max(0, units) / UNITS * counted


@compiled
def met(units: int, worst: int, price: float, cash: float, tick: float, rules: Rules) -> int:
    """At how many ticks an order is taken at a bar's open, 0 if it is not: what it may cost, and what there is."""
    if isnan(price):
        return 0
    cost_share = rules.half_spread + rules.slippage
    ticks = up(price * (1 + cost_share) / tick) if units > 0 else down(price * (1 - cost_share) / tick)
    beyond = ticks > worst if units > 0 else ticks < worst
    if (beyond and not rules.market) or units / UNITS * (ticks * tick) > cash:
        return 0
    return ticks


@compiled
def settled(units: int, ticks: int, tick: float, taker_fee: float) -> tuple[int, float]:
    """What a fill adds to what is held, in units, and to cash; the fee is taken from what is received."""
    cost = units / UNITS * (ticks * tick)
    if units > 0:
        return units - down(units * taker_fee), -cost
    return units, -cost - down(-cost * taker_fee * UNITS) / UNITS


@compiled
def open_bar(i: int, price: Floats, cash: float, count: int, state: State, grids: Grids, rules: Rules,
             book: Book) -> tuple[float, int]:  # fmt: skip
    """All orders meet bar `i`'s opens. Cash and the number of fills after it."""
    for s in range(len(price)):
        units = state.orders[s]
        if units == 0:
            continue
        state.orders[s] = 0
        ticks = met(units, state.worst[s], price[s], cash, grids.tick[s], rules)
        if ticks == 0:
            book.expired[0] += 1
            continue
        received, paid = settled(units, ticks, grids.tick[s], rules.taker_fee)
        state.held[s] += received
        cash += paid
        if count < len(book.bar):
            book.bar[count], book.symbol[count], book.units[count], book.ticks[count] = i, s, units, ticks
        count += 1
    return cash, count


@compiled
def close_bar(targets: Floats, close: Floats, account: Account, state: State, grids: Grids, rules: Rules,
              refused: Ints) -> bool:  # fmt: skip
    """Decides about every symbol at a bar's end; whether an order waits for the next open."""
    under_way, waiting = 0.0, False
    for s in range(len(close)):
        held, mark = state.held[s], state.marks[s]
        if isnan(close[s]) or stays(targets[s], held, mark, grids.step[s], rules):
            continue
        grid = Grid(grids.tick[s], grids.step[s], grids.amount_max[s], grids.cost_min[s])
        units, worst, takes = decide(targets[s], held, mark, close[s], account, under_way, grid, rules, refused)
        state.orders[s], state.worst[s] = units, worst
        waiting, under_way = waiting or units != 0, under_way + takes
    return waiting


@compiled
def run_bars(prices: Prices, grids: Grids, rules: Rules, start_quote: float, book: Book) -> int:
    """Runs all bars; how many fills there were, of which `book` holds those that it has room for.

    What is decided at a bar's end meets the next bar's open. Nothing is decided at the end of the last bar.
    """
    decided, closes, targets = prices.decided, prices.close, prices.targets
    bars, symbols = closes.shape
    units = (np.zeros(symbols, np.int64), np.zeros(symbols, np.int64), np.zeros(symbols, np.int64))
    state = State(units[0], units[1], units[2], np.full(symbols, np.nan), np.full(symbols, np.nan))
    held, marks, last, step, tick = state.held, state.marks, state.last, grids.step, grids.tick
    cash, count, waiting = start_quote, 0, False
    peak, day_start, next_day = start_quote, start_quote, 0
    for i in range(bars):
        if waiting:
            cash, count = open_bar(i, prices.open[i], cash, count, state, grids, rules, book)
        gross, worth, quiet = 0.0, cash, True
        for s in range(symbols):
            if not isnan(closes[i, s]):
                last[s] = closes[i, s]
                marks[s] = middle(last[s], tick[s], rules.half_spread)
            if held[s] != 0:
                gross += held[s] / UNITS * marks[s]
                worth += held[s] / UNITS * last[s]
            quiet = quiet and stays(targets[i, s], held[s], marks[s], step[s], rules)
        equity = cash + gross
        book.equity[i] = worth
        if decided[i] >= next_day:
            day_start, next_day = equity, decided[i] // DAY_NS * DAY_NS + DAY_NS
        peak, waiting = max(peak, equity), False
        if not quiet and i + 1 < bars:
            account = Account(cash, equity, day_start - equity, peak - equity, gross)
            waiting = close_bar(targets[i], closes[i], account, state, grids, rules, book.refused)
    return count
