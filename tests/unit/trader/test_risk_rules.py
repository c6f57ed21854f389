"""Goal: each limit refuses what breaks it, says what it saw, and never locks us inside a position."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trader.risk import APPROVED, Candidate, Limits, Pending, Refused, RiskState, TradingState, build_rules
from trader.risk.types import Verdict

BTC, ETH = "BTC/USDT", "ETH/USDT"
D = Decimal
LIMITS = Limits(
    order_notional_quote_max=D(5_000),
    position_quote_max=D(10_000),
    gross_exposure_quote_max=D(20_000),
    daily_loss_quote_max=D(500),
    price_collar=D("0.01"),
    signal_age_s_max=D(180),
    quote_age_s_max=D(10),
    mark_age_s_max=D(60),
)
STATE = RiskState(
    trading_state=TradingState.ACTIVE,
    signal_age_s=D(1),
    quote_age_s=D(1),
    mark=D(50_000),
    reference=D(50_000),
    cash_free_quote=D(100_000),
    day_pnl_quote=D(0),
    positions={(BTC, "a"): D("0.1")},
    marks={BTC: D(50_000), ETH: D(2_500)},
)
BUY = Candidate("a", BTC, "buy", D("0.01"), D(50_050))
SELL = Candidate("a", BTC, "sell", D("0.1"), D(49_950))


def check(order: Candidate, **changes: object) -> Verdict:
    return build_rules(LIMITS).check(order, replace(STATE, **changes))


def refused(order: Candidate, **changes: object) -> Refused:
    verdict = check(order, **changes)
    assert isinstance(verdict, Refused)
    return verdict


def test_a_modest_order_passes_every_limit() -> None:
    assert check(BUY) is APPROVED
    assert check(SELL) is APPROVED


def test_nothing_is_bought_while_a_mark_of_what_is_held_is_too_old() -> None:
    assert refused(BUY, mark_age_s=D("60.001")) == Refused("StaleMark", D("60.001"), D(60), "s")
    assert check(BUY, mark_age_s=D(60)) is APPROVED
    assert check(SELL, mark_age_s=D(10**9)) is APPROVED, "the way out stays open"


def test_a_halted_trader_sends_nothing_at_all() -> None:
    assert refused(BUY, trading_state=TradingState.HALTED).rule == "TradingStateRule"
    assert refused(SELL, trading_state=TradingState.HALTED) == Refused("TradingStateRule", D(4_995), D(0), "quote")


def test_a_reducing_trader_sells_and_does_not_buy() -> None:
    assert check(SELL, trading_state=TradingState.REDUCING) is APPROVED
    assert refused(BUY, trading_state=TradingState.REDUCING).rule == "TradingStateRule"


def test_a_stale_signal_or_quote_refuses_both_sides_with_its_age() -> None:
    assert refused(BUY, signal_age_s=D(181)) == Refused("StaleSignal", D(181), D(180), "s")
    assert refused(SELL, quote_age_s=D("10.5")) == Refused("StaleQuote", D("10.5"), D(10), "s")
    assert refused(BUY, signal_age_s=D(-181)) == Refused("StaleSignal", D(-181), D(180), "s"), "a clock is wrong"
    assert refused(SELL, quote_age_s=D("-10.5")) == Refused("StaleQuote", D("-10.5"), D(10), "s")
    assert check(BUY, signal_age_s=D(180), quote_age_s=D(10)) is APPROVED


def test_a_price_off_the_last_trade_by_more_than_the_collar_is_refused() -> None:
    verdict = refused(replace(BUY, price=D(50_501)))
    assert verdict == Refused("PriceCollar", D("0.0100200000"), D("0.01"), "share")
    assert check(replace(BUY, price=D(50_500))) is APPROVED


def test_a_quote_that_ran_away_from_the_trades_cannot_price_its_own_order() -> None:
    assert refused(replace(BUY, price=D(60_060)), mark=D(60_000)).rule == "PriceCollar"


def test_without_a_recent_trade_the_quotes_middle_is_the_reference() -> None:
    assert check(BUY, reference=None) is APPROVED


def test_more_than_is_held_is_not_sold() -> None:
    assert refused(replace(SELL, quantity=D("0.11"))) == Refused("HeldQuantity", D("0.11"), D("0.1"), "base")


def test_what_is_being_sold_already_is_not_sold_again() -> None:
    pending = (Pending("a", BTC, "sell", D("0.04"), D(50_000)), Pending("b", BTC, "sell", D("0.04"), D(50_000)))
    assert refused(SELL, pending=pending) == Refused("HeldQuantity", D("0.1"), D("0.06"), "base")
    assert check(replace(SELL, quantity=D("0.06")), pending=pending) is APPROVED


def test_an_order_above_the_notional_limit_is_refused_on_both_sides() -> None:
    assert refused(replace(BUY, quantity=D("0.1"))) == Refused("OrderNotionalLimit", D(5_005), D(5_000), "quote")
    big = {(BTC, "a"): D(1)}
    assert refused(replace(SELL, quantity=D("0.2")), positions=big).rule == "OrderNotionalLimit"


def test_a_buy_that_could_lift_the_position_above_its_limit_is_refused() -> None:
    held = {(BTC, "a"): D("0.1"), (BTC, "b"): D("0.095")}
    verdict = refused(BUY, positions=held)
    assert (verdict.rule, verdict.observed) == ("PositionLimit", D("0.205") * D(50_050))


def test_open_and_unknown_buys_count_as_filled_and_pending_sells_as_not() -> None:
    buys = (Pending("b", BTC, "buy", D("0.1"), D(50_000)),)
    assert refused(BUY, pending=buys).rule == "PositionLimit"
    held = {(BTC, "a"): D("0.195")}
    sells = (Pending("a", BTC, "sell", D("0.1"), D(50_000)),)
    assert refused(BUY, positions=held, pending=sells).rule == "PositionLimit"


@pytest.mark.parametrize("quantity", ["0.3", "0.5"])
def test_an_order_that_shrinks_the_position_passes_a_breached_limit(quantity: str) -> None:
    held = {(BTC, "a"): D(quantity), (ETH, "a"): D(10)}
    assert check(SELL, positions=held, day_pnl_quote=D(-5_000), cash_free_quote=D(0)) is APPROVED


def test_a_buy_that_could_lift_gross_exposure_above_its_limit_is_refused() -> None:
    held = {(BTC, "a"): D("0.1"), (ETH, "a"): D("5.9")}
    verdict = refused(BUY, positions=held)
    assert verdict == Refused("GrossExposureLimit", D("20250.50"), D(20_000), "quote")


def test_a_pending_buy_counts_in_gross_exposure_at_the_price_it_may_pay() -> None:
    held = {(BTC, "a"): D("0.1"), (ETH, "a"): D("5.7")}
    pending = (Pending("b", ETH, "buy", D("0.1"), D(2_600)),)
    verdict = refused(BUY, positions=held, pending=pending)
    assert (verdict.rule, verdict.observed) == ("GrossExposureLimit", D("20010.50"))


def test_buys_stop_once_the_days_loss_reaches_its_limit() -> None:
    assert check(BUY, day_pnl_quote=D("-499.99")) is APPROVED
    assert refused(BUY, day_pnl_quote=D(-500)) == Refused("DailyLossLimit", D(500), D(500), "quote")


def test_a_buy_that_cash_cannot_pay_with_its_fee_is_refused() -> None:
    verdict = refused(BUY, cash_free_quote=D("500.50"))
    assert (verdict.rule, verdict.limit, verdict.unit) == ("BuyingPower", D("500.50"), "quote")
    pending = (Pending("b", ETH, "buy", D("0.1"), D(2_500)),)
    assert check(BUY, cash_free_quote=D(751)) is APPROVED
    assert refused(BUY, cash_free_quote=D(751), pending=pending).rule == "BuyingPower"
