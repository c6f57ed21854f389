"""Goal: no price and no lot size decides an order when it is too old, and what ages is asked for in time."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from ares.errors import VenueRejected
from tests.unit.trader.conftest import BTC, ETH, STRATEGY, Bench
from trader.portfolio.positions import Execution
from trader.portfolio.sizing import Grid
from trader.rows import Decision
from trader.runtime import Trader
from trader.testing import PaperVenue

D = Decimal
MARK_AGE_S, INSTRUMENT_AGE_S = 60.0, 100.0


async def decided(bench: Bench, trader: Trader) -> dict[str, Decision]:
    return {each.symbol: each for each in await trader.cycle.run()}


async def holding_eth(bench: Bench) -> Trader:
    """A trader of both symbols that holds ETH and no BTC."""
    bench.venue.prices[ETH] = D(2_500)
    strategy = bench.config.strategies[0].model_copy(update={"symbols": (BTC, ETH)})
    bench.configure(strategies=(strategy,))
    trader = await bench.trader()
    bench.market(target=0.0)
    bench.market(target=1.0, price="2500", symbol=ETH)
    assert (await decided(bench, trader))[ETH].action == "buy"
    await bench.pass_time(trader, 5)
    assert trader.ledger.portfolio.position(ETH, STRATEGY).quantity > 0
    return trader


def lose_quotes_of(bench: Bench, symbol: str) -> None:
    seen = bench.reader.market
    bench.reader.market = type(seen)(seen.signals, {s: q for s, q in seen.quotes.items() if s != symbol}, seen.trades)


async def test_a_mark_that_rows_tell_no_more_is_asked_of_the_venue_before_it_is_too_old(bench: Bench) -> None:
    trader = await holding_eth(bench)
    lose_quotes_of(bench, ETH)
    bench.venue.prices[ETH] = D(2_600)
    await bench.pass_time(trader, MARK_AGE_S / 2 + 1)
    bench.market(target=1.0)
    assert (await decided(bench, trader))[BTC].action == "buy"
    assert trader.account.mark(ETH) == 2_600


async def test_nothing_is_bought_on_an_old_mark_when_the_venue_does_not_tell_one_either(bench: Bench) -> None:
    trader = await holding_eth(bench)
    lose_quotes_of(bench, ETH)
    bench.venue.away = True
    await bench.pass_time(trader, MARK_AGE_S + 1)
    bench.market(target=1.0)
    decision = (await decided(bench, trader))[BTC]
    assert (decision.action, decision.reason) == ("refuse", "StaleMark")
    assert decision.refusal is not None
    assert decision.refusal.observed > 60


async def test_what_is_held_can_be_sold_whatever_the_age_of_other_marks(bench: Bench) -> None:
    trader = await holding_eth(bench)
    bench.market(target=1.0)
    assert (await decided(bench, trader))[BTC].action == "buy"
    await bench.pass_time(trader, 5)
    lose_quotes_of(bench, ETH)
    bench.venue.away = True
    await bench.pass_time(trader, MARK_AGE_S + 1)
    bench.venue.away = False
    bench.venue.prices.pop(ETH)
    bench.market(target=0.0)
    assert (await decided(bench, trader))[BTC].action == "sell"


async def test_new_lot_sizes_are_taken_up_while_trading(bench: Bench) -> None:
    trader = await bench.trader()
    bench.venue.steps[BTC] = Grid(D("0.1"), D("0.01"), D(5))
    bench.configure(instrument_age_s_max=INSTRUMENT_AGE_S)
    trader.reconfigure(bench.config)
    await bench.pass_time(trader, INSTRUMENT_AGE_S / 2 + 1)
    await trader.follow_once(-INSTRUMENT_AGE_S)
    bench.market(target=1.0)
    decision = (await decided(bench, trader))[BTC]
    assert decision.action == "buy"
    assert decision.order_quantity is not None
    assert decision.order_quantity % D("0.01") == 0
    assert trader.account.grid(BTC) == bench.venue.steps[BTC]


async def test_an_instrument_whose_rules_are_too_old_is_not_bought_but_can_be_sold(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=0.5)
    assert (await decided(bench, trader))[BTC].action == "buy"
    await bench.pass_time(trader, 5)
    bench.configure(instrument_age_s_max=10.0)
    trader.reconfigure(bench.config)
    bench.venue.away = True
    await bench.pass_time(trader, 15)
    bench.market(target=1.0)
    decision = (await decided(bench, trader))[BTC]
    assert (decision.action, decision.reason) == ("skip", "instrument_stale")
    bench.venue.away = False
    bench.market(target=0.0)
    assert (await decided(bench, trader))[BTC].action == "sell"


async def test_a_symbol_that_is_held_and_not_listed_any_more_stops_the_others_for_a_while_only(bench: Bench) -> None:
    trader = await holding_eth(bench)
    bench.configure(instrument_age_s_max=INSTRUMENT_AGE_S)
    trader.reconfigure(bench.config)
    lose_quotes_of(bench, ETH)
    del bench.venue.prices[ETH]
    for _ in range(4):
        await bench.pass_time(trader, MARK_AGE_S / 2 + 1)
        await trader.follow_once(-INSTRUMENT_AGE_S)
    bench.market(target=1.0)
    decisions = await decided(bench, trader)
    assert decisions[BTC].action == "buy"
    assert decisions[ETH].action in ("skip", "hold")
    assert trader.account.mark(ETH) == 2_500, "what it was worth last is what it counts as"


async def test_a_symbol_that_the_venue_refuses_to_tell_of_keeps_nothing_from_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = await holding_eth(bench)
    asked: list[str] = []
    real = bench.venue.executions_after

    async def refuse_btc(venue: PaperVenue, symbol: str, fill_id: int) -> list[Execution]:
        asked.append(symbol)
        if symbol == BTC:
            raise VenueRejected("BadSymbol", "no such symbol")
        return await real(symbol, fill_id)

    monkeypatch.setattr(PaperVenue, "executions_after", refuse_btc)
    assert await trader.account.sweep_executions((BTC, ETH)) == 0
    assert asked == [BTC, ETH]


async def test_a_quote_from_the_future_is_not_taken_for_a_young_mark(bench: Bench) -> None:
    trader = await holding_eth(bench)
    seen = bench.reader.market.quotes[ETH]
    ahead = replace(seen, bid=seen.bid * 2, ask=seen.ask * 2, received_at_ns=bench.clock.now_ns() + 600 * 10**9)
    bench.market(target=0.0)
    market = bench.reader.market
    bench.reader.market = replace(market, quotes={**market.quotes, ETH: ahead})
    await decided(bench, trader)
    assert trader.account.mark(ETH) == 2_500


async def test_the_day_begins_only_when_all_that_is_held_has_a_young_mark(bench: Bench) -> None:
    trader = await holding_eth(bench)
    lose_quotes_of(bench, ETH)
    bench.venue.away = True
    events = len(bench.control.read("day/paper"))
    await bench.advance(86_400)
    await trader.leadership.wait()
    bench.market(target=0.0)
    await decided(bench, trader)
    assert len(bench.control.read("day/paper")) == events, "not with a mark of yesterday"
    bench.market(target=0.0, price="2500", symbol=ETH)
    await decided(bench, trader)
    assert len(bench.control.read("day/paper")) == events + 1
