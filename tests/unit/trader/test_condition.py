"""Goal: while a venue or a symbol does not trade, decisions say so and nothing is sent; then it goes on by itself."""

from __future__ import annotations

import asyncio

import ccxt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import OrderOutcomeUnknown, VenueUnavailable
from ares.resilience import Rate
from tests.unit.trader.conftest import BTC, Bench
from trader.venues import binance_words as words
from trader.venues.condition import VenueCondition
from trader.venues.errors import for_read, for_write, hold_s

SHUTTING_DOWN = ccxt.BadRequest('binance {"code":-1016,"msg":"This service is no longer available."}')


@pytest.mark.parametrize("why", ["venue_maintenance", "symbol_break", "venue_asks_to_wait"])
async def test_decisions_say_why_nothing_is_sent_and_trading_goes_on_by_itself(bench: Bench, why: str) -> None:
    trader = await bench.trader()
    bench.venue.closed = {BTC: why}
    await bench.venue.look_around([BTC])
    bench.market()
    await trader.cycle.run()
    decision = bench.rows("decisions")[-1]
    assert (decision.symbols["action"], decision.columns["reason"]) == ("skip", why)
    assert not bench.venue.submissions
    bench.venue.closed = {}
    await bench.venue.look_around([BTC])
    await bench.advance(5)
    bench.market()
    await trader.cycle.run()
    assert bench.rows("decisions")[-1].symbols["action"] == "buy"
    assert bench.venue.submissions.total() == 1


async def test_the_service_asks_the_venue_now_and_then_and_survives_that_it_is_away(bench: Bench) -> None:
    trader = bench.build()
    running = asyncio.create_task(trader.run())
    try:
        for _ in range(400):
            await bench.advance(0.1)
            await asyncio.sleep(0.002)
            if trader.health().ready:
                break
        bench.venue.away = True
        bench.venue.closed = {BTC: "venue_maintenance"}
        await _passes(bench, 12)
        assert bench.venue.obstacle(BTC) is None, "what could not be learned is as it was"
        bench.venue.away = False
        await _passes(bench, 12)
        assert bench.venue.obstacle(BTC) == "venue_maintenance"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _passes(bench: Bench, seconds: int) -> None:
    for _ in range(seconds * 10):
        await bench.advance(0.1)
        await asyncio.sleep(0.002)


def test_only_symbols_that_do_not_trade_are_kept_back() -> None:
    condition = VenueCondition("unit")
    answer = {"symbols": [{"symbol": "BTCUSDT", "status": "BREAK"}, {"symbol": "ETHUSDT", "status": "TRADING"}]}
    condition.learn_symbols(words.statuses(answer))
    assert condition.obstacle("BTCUSDT") == "symbol_break"
    assert condition.obstacle("ETHUSDT") is None
    condition.learn_symbols({"BTCUSDT": "TRADING"})
    assert condition.obstacle("BTCUSDT") is None


@pytest.mark.parametrize("error", [SHUTTING_DOWN, ccxt.OnMaintenance("System is under maintenance.")])
def test_an_answer_of_a_venue_that_shuts_down_proves_nothing_about_an_order(error: ccxt.BaseError) -> None:
    assert isinstance(for_write(error), OrderOutcomeUnknown)
    assert isinstance(for_read(error, None), VenueUnavailable)
    condition = VenueCondition("unit")
    condition.heed(error)
    assert condition.obstacle(BTC) == "venue_maintenance"


def test_a_refusal_for_another_reason_is_no_maintenance() -> None:
    condition = VenueCondition("unit")
    condition.heed(ccxt.BadRequest('binance {"code":-1102,"msg":"Mandatory parameter was not sent."}'))
    assert condition.obstacle(BTC) is None


@pytest.mark.parametrize("answer", [{}, {"status": 2}, {"status": None}, {"status": "normal"}])
def test_a_status_that_is_not_as_documented_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError)):
        words.under_maintenance(answer)


def test_a_venue_that_does_not_say_until_when_is_left_alone_for_a_while() -> None:
    assert hold_s(ccxt.DDoSProtection("429"), {}) == 10.0
    assert hold_s(ccxt.RateLimitExceeded("-1003"), {"Retry-After": "7"}) == 7.0
    assert hold_s(ccxt.RequestTimeout("no answer"), {"Retry-After": "7"}) is None


def test_limits_and_counts_are_read_by_what_they_count_and_how_long() -> None:
    rows = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
    ]
    assert words.rate_limits({"rateLimits": rows}) == {Rate("weight", 60): 6_000, Rate("orders", 10): 100}
    headers = {"X-MBX-USED-WEIGHT": "9", "x-mbx-used-weight-1m": "42", "X-MBX-ORDER-COUNT-10S": "3", "Date": "now"}
    assert words.rates_told(headers) == {Rate("weight", 60): 42, Rate("orders", 10): 3}


@given(st.dictionaries(st.one_of(st.text(), st.from_regex(r"x-mbx-(used-weight|order-count)-.{0,6}")), st.text()))
def test_whatever_headers_say_a_count_is_a_number_of_a_known_interval(headers: dict[str, str]) -> None:
    for rate, count in words.rates_told(headers).items():
        assert rate.interval_s > 0
        assert 0 <= count < 10**9
