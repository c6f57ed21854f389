"""The parts of the exact tier: its path through a bar, its venue, its clock and its arbiter."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import numpy as np
import pytest

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.control import NewEvent
from ares.errors import SequenceConflict
from backtest.exact.arbiter import SETTLED_MAX, Arbiter
from backtest.exact.loop import EverybodyWaits, LoopClock, SteppedLoop, run
from backtest.exact.path import path_of
from backtest.exact.settings import Frictions
from backtest.exact.venue import Venue
from backtest.tape import Bars, BarsAndSignals, Quotes, Trades
from simulator.matching import NewOrder
from tests.backtests import BITCOIN, START_NS, SYMBOL

SECOND = NANOS_PER_SECOND


def bars(*prices: tuple[float, float, float, float]) -> Bars:
    columns = np.array(prices, dtype=np.float64).reshape(-1, 4).T
    ts = START_NS + np.arange(len(prices), dtype=np.int64) * MINUTE_NS
    return Bars(ts, *columns, np.full(len(prices), 8.0))


def venue_over(trades: Trades, frictions: Frictions) -> Venue:
    venue = Venue([BITCOIN], frictions, {"USDT": Decimal(20_000)}, START_NS)
    nothing = bars()
    venue.load(BarsAndSignals(START_NS, START_NS + MINUTE_NS, {SYMBOL: nothing}, {}, {SYMBOL: trades}))
    return venue


def at(seconds: float) -> int:
    return START_NS + round(seconds * SECOND)


def tape(*trades: tuple[float, float, float, bool]) -> Trades:
    seconds, price, amount, sold = zip(*trades, strict=True)
    ts = np.array([at(each) for each in seconds], dtype=np.int64)
    return Trades(ts, np.array(price), np.array(amount), np.array(sold))


def test_up_bar_goes_down_first_and_a_down_bar_up() -> None:
    path = path_of(bars((100.0, 104.0, 99.0, 103.0), (103.0, 105.0, 97.0, 98.0)))
    assert path.price.tolist() == [100.0, 99.0, 104.0, 103.0, 103.0, 105.0, 97.0, 98.0]
    assert path.amount.tolist() == [2.0] * 8
    assert path.sold.tolist() == [False, True, False, True, False, False, True, False]
    assert (path.ts[:4] - START_NS).tolist() == [0, 20 * SECOND, 40 * SECOND, MINUTE_NS - 1_000_000]


def test_bar_within_which_trades_are_known_is_those_trades_and_a_gap_is_nothing() -> None:
    known = tape((61.0, 101.0, 0.5, True), (62.0, 101.5, 0.25, False))
    nan = float("nan")
    path = path_of(bars((100.0, 100.0, 100.0, 100.0), (101.0, 102.0, 101.0, 102.0), (nan, nan, nan, nan)), known)
    assert path.price.tolist() == [100.0, 100.0, 100.0, 100.0, 101.0, 101.5]


def test_order_that_rests_waits_behind_others_and_is_filled_in_parts() -> None:
    venue = venue_over(
        tape(
            (1, 50_000.0, 10.0, False),
            (10, 49_990.0, 0.4, True),
            (11, 49_990.0, 0.7, True),
            (12, 49_989.0, 0.05, True),
            (13, 49_980.0, 5.0, True),
        ),
        Frictions(half_spread_bps=Decimal(1), queue_share=Decimal("0.1")),
    )
    venue.play(at(2))
    price, amount = Decimal("49990.00"), Decimal("0.2")
    order = venue.place(NewOrder(SYMBOL, "BUY", "LIMIT_MAKER", "one", price=price, amount=amount))
    filled = []
    for second in (10, 11, 12, 13):
        venue.play(at(second))
        filled.append(order.filled)
    # One bitcoin stands before: a tenth of the ten of the minute. 0.4 leaves 0.6 of it, 0.7 reaches us with 0.1.
    assert filled == [Decimal(0), Decimal("0.1"), Decimal("0.15"), Decimal("0.2")]
    assert [fill.liquidity for fill in venue.fills] == ["maker"] * 3
    assert [fill.price for fill in venue.fills] == [price] * 3
    assert venue.fills[0].ts_ns == at(11)


def test_recorded_quote_says_the_spread_and_what_stands_before_us_until_it_is_old() -> None:
    second = [np.array([value]) for value in (49_999.0, 50_003.0, 0.3, 0.2)]
    quotes = Quotes(np.array([at(1)], dtype=np.int64), *second)
    trades, nothing = tape((0.5, 50_000.0, 4.0, False), (90, 50_000.0, 4.0, False)), bars()
    venue = Venue([BITCOIN], Frictions(half_spread_bps=Decimal(1)), {"USDT": Decimal(20_000)}, START_NS)
    stretch = BarsAndSignals(START_NS, at(120), {SYMBOL: nothing}, {}, {SYMBOL: trades}, {SYMBOL: quotes})
    venue.load(stretch)
    market = venue.tapes[SYMBOL]
    seen = []
    for seconds in (0.5, 1, 61, 61.5):
        venue.play(at(seconds))
        seen.append((market.bid(), market.ask()))
    supposed, recorded = (Decimal(49_995), Decimal(50_005)), (Decimal(49_999), Decimal(50_003))
    assert seen == [supposed, recorded, recorded, supposed]
    venue.play(at(120))
    assert market.before_us("buy", Decimal(49_999)) == Decimal("0.4"), "a tenth of what a minute traded"


def test_order_at_a_recorded_best_waits_behind_what_is_displayed_and_a_better_one_behind_nobody() -> None:
    one = [np.array([value]) for value in (49_999.0, 50_003.0, 0.3, 0.2)]
    venue = Venue([BITCOIN], Frictions(), {"USDT": Decimal(20_000)}, START_NS)
    quotes = Quotes(np.array([at(1)], dtype=np.int64), *one)
    venue.load(BarsAndSignals(START_NS, at(60), {SYMBOL: bars()}, {}, {}, {SYMBOL: quotes}))
    venue.play(at(2))
    market = venue.tapes[SYMBOL]
    assert market.is_priced
    assert market.before_us("buy", Decimal(49_999)) == Decimal("0.3")
    assert market.before_us("buy", Decimal(50_001)) == 0
    assert market.before_us("sell", Decimal(50_003)) == Decimal("0.2")
    assert market.before_us("sell", Decimal(50_001)) == 0


def test_played_market_is_counted_and_told_by_its_last_price() -> None:
    venue = venue_over(tape((1, 50_000.0, 1.0, False), (2, 50_010.0, 1.0, False)), Frictions(Decimal(0)))
    venue.play(at(1.5))
    assert (venue.ticks, venue.tapes[SYMBOL].price) == (1, Decimal(50_000))
    venue.play(at(2))
    assert (venue.ticks, venue.tapes[SYMBOL].price) == (2, Decimal(50_010))
    with pytest.raises(AssertionError, match="time does not go back"):
        venue.play(at(1))


def test_time_goes_from_sleeper_to_sleeper_and_nothing_is_waited_for() -> None:
    async def main(loop: SteppedLoop) -> list[tuple[str, int]]:
        clock, woken = LoopClock(loop), list[tuple[str, int]]()

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append((name, round((clock.now_ns() - START_NS) / SECOND)))

        await asyncio.gather(sleeper("late", 7_200), sleeper("early", 60))
        assert await asyncio.to_thread(lambda: 5) == 5
        loop.jump(START_NS)
        assert round(clock.monotonic_s()) == 7_200, "a jump never goes back"
        return woken

    assert run(main, START_NS) == [("early", 60), ("late", 7_200)]


def test_waiting_for_what_never_comes_is_an_error_and_not_a_hang() -> None:
    async def main(loop: SteppedLoop) -> None:
        await loop.create_future()

    with pytest.raises(EverybodyWaits):
        run(main, START_NS)


def event(order_id: str) -> NewEvent:
    return NewEvent("settled", START_NS, {"order_id": order_id})


def test_arbiter_refuses_who_is_late_and_forgets_orders_long_settled() -> None:
    arbiter = Arbiter()
    assert arbiter.append("order/a/1", [event("1")], expected_seq=0) == 1
    with pytest.raises(SequenceConflict, match="is at 1, not at 0"):
        arbiter.append("order/a/1", [event("1")], expected_seq=0)
    for number in range(SETTLED_MAX + 1):
        assert arbiter.append("orders_settled/a", [event(str(number + 1))], expected_seq=number) == number + 1
    assert arbiter.read("order/a/1") == []
    assert arbiter.streams("order/") == []
    with pytest.raises(SequenceConflict):
        arbiter.append("order/a/1", [event("1")], expected_seq=0)


def test_arbiter_reads_on_from_where_the_reader_is() -> None:
    arbiter = Arbiter()
    arbiter.append("limits/a", [event("1"), event("2")], expected_seq=0)
    assert [each.seq for each in arbiter.read("limits/a", 1)] == [2]
    assert arbiter.read("limits/a", 2) == []
    assert arbiter.streams("limits/") == ["limits/a"]
