"""Goal: every limit bounds shorts as it bounds longs, counts flips by their far side, and lets either side out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.unit.trader.test_risk_limits import WIDE
from trader.risk import (
    APPROVED,
    Candidate,
    Pending,
    Refused,
    RiskState,
    Sent,
    TradingState,
    Verdict,
    Warned,
    build_rules,
)

BTC, ETH, COINS = "BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USDT"
D = Decimal
STATE = RiskState(
    trading_state=TradingState.ACTIVE,
    signal_age_s=D(1),
    quote_age_s=D(1),
    mark=D(100),
    reference=D(100),
    cash_free_quote=D(10**6),
    day_pnl_quote=D(0),
    positions={(BTC, "a"): D(-10), (ETH, "b"): D(10)},
    marks={BTC: D(100), ETH: D(50)},
    pending=(Pending("b", BTC, "sell", D(1), D(100)),),
    equity_quote=D(10_000),
    drawdown_quote=D(0),
    spread=D("0.001"),
    volume_quote=D(5_000),
    loss_shares={BTC: D("0.02"), ETH: D("0.04")},
)
SHORT = Candidate("a", BTC, "sell", D(5), D(99))
COVER = Candidate("a", BTC, "buy", D(10), D(101))
FLIP = Candidate("a", BTC, "buy", D(15), D(101))


def check(order: Candidate, limit: dict[str, Decimal], **changes: object) -> Verdict:
    return build_rules(WIDE.with_values(limit)).check(order, replace(STATE, **changes))


BOUNDS = [
    # limit, rule, observed with SHORT, unit: what is sold short counts at mark, which is above its price
    ("order_notional_quote_max", "OrderNotionalLimit", D(500), "quote"),
    ("position_quote_max", "PositionLimit", D(1_600), "quote"),
    ("gross_exposure_quote_max", "GrossExposureLimit", D(2_100), "quote"),
    ("net_exposure_quote_max", "NetExposureLimit", D(1_100), "quote"),
    ("strategy_exposure_quote_max", "StrategyExposureLimit", D(1_500), "quote"),
    ("leverage_max", "LeverageLimit", D("0.21"), "factor"),
    ("concentration_max", "ConcentrationLimit", D("0.16"), "share"),
    ("var_quote_max", "VarLimit", D(52), "quote"),
    ("volume_share_max", "LiquidityLimit", D("0.099"), "share"),
    ("spread_max", "SpreadLimit", D("0.001"), "share"),
    ("orders_per_minute_max", "OrderRateLimit", D(1), "orders"),
]


@pytest.mark.parametrize(("name", "rule", "observed", "unit"), BOUNDS)
def test_a_short_passes_at_the_limit_and_is_refused_just_above_it(
    name: str, rule: str, observed: Decimal, unit: str
) -> None:
    assert check(SHORT, {name: observed}) is APPROVED
    below = observed - D("0.0000000001")
    assert check(SHORT, {name: below}) == Refused(rule, observed, below, unit)


@pytest.mark.parametrize("name", [bound[0] for bound in BOUNDS[1:]])
def test_a_short_is_covered_however_far_a_limit_is_breached(name: str) -> None:
    sent = (Sent("a", BTC, "buy", D(10), D(0)),) * 100
    assert check(COVER, {name: D("0.0000000001"), "duplicate_s": D(3)}, sent=sent, cash_free_quote=D(0)) is APPROVED


def test_a_short_is_covered_whatever_is_lost_old_or_reducing() -> None:
    limit = {"drawdown_max": D("0.1"), "daily_loss_quote_max": D(1)}
    sad = {"day_pnl_quote": D(-9_999), "drawdown_quote": D(9_999), "mark_age_s": D(10**6)}
    assert check(COVER, limit, trading_state=TradingState.REDUCING, **sad) is APPROVED
    assert check(SHORT, {}, trading_state=TradingState.REDUCING) == Refused("TradingStateRule", D(495), D(0), "quote")
    assert check(SHORT, {}, mark_age_s=D(61)) == Refused("StaleMark", D(61), D(60), "s")
    assert check(SHORT, limit, day_pnl_quote=D(-1)) == Refused("DailyLossLimit", D(1), D(1), "quote")
    assert check(SHORT, {"drawdown_max": D("0.1")}, drawdown_quote=None) == Refused(
        "DrawdownLimit", None, D("0.1"), "share"
    )
    assert check(COVER, {}, trading_state=TradingState.HALTED) != APPROVED, "halted is halted"


def test_what_reaches_beyond_a_short_opens_and_counts_while_reducing() -> None:
    assert check(FLIP, {}, trading_state=TradingState.REDUCING) == Refused("TradingStateRule", D(1_515), D(0), "quote")
    assert check(FLIP, {"strategy_exposure_quote_max": D(1_505)}) is APPROVED
    verdict = check(FLIP, {"strategy_exposure_quote_max": D(1_504)})
    assert verdict == Refused("StrategyExposureLimit", D(1_505), D(1_504), "quote"), "10 held, 5 beyond at 101"


def test_net_exposure_of_a_flip_is_what_is_left_of_it() -> None:
    # Shorts of 1000, longs of 500, and 15 bought: no more than 500 + 515 on the long side.
    alone = {"pending": ()}
    assert check(FLIP, {"net_exposure_quote_max": D(1_015)}, **alone) is APPROVED
    assert check(FLIP, {"net_exposure_quote_max": D(1_014)}, **alone) == Refused(
        "NetExposureLimit", D(1_015), D(1_014), "quote"
    )


def test_strategies_on_both_sides_do_not_make_up_for_each_other() -> None:
    both = {"positions": {(BTC, "a"): D(-10), (BTC, "b"): D(10)}, "pending": ()}
    verdict = check(SHORT, {"position_quote_max": D(2_499)}, **both)
    assert verdict == Refused("PositionLimit", D(2_500), D(2_499), "quote")
    assert check(Candidate("b", BTC, "sell", D(10), D(99)), {"net_exposure_quote_max": D(1)}, **both) is APPROVED


def test_an_order_of_unknown_outcome_counts_on_whichever_side_hurts() -> None:
    unknown = (Pending("a", BTC, "buy", D(30), D(101)), Pending("a", BTC, "sell", D(4), D(99)))
    state = replace(STATE, pending=unknown)
    assert state.worst_case_quantity(BTC) == D(20), "either 20 long or 14 short"
    assert replace(state, pending=unknown[1:]).worst_case_quantity(BTC) == D(14)
    assert state.strategy_worst_case_quote("a") == D(30) * D(101) - D(1_000)
    assert state.net_worst_case_quote() == (D(-500) - D(400), D(-500) + D(3_030))


def test_what_is_being_covered_already_is_not_covered_again() -> None:
    covering = {"pending": (Pending("a", BTC, "buy", D(7), D(101)),)}
    assert replace(STATE, **covering).opening(COVER) == D(7)
    assert replace(STATE, **covering).opening(replace(COVER, quantity=D(3))) == 0
    verdict = check(COVER, {}, trading_state=TradingState.REDUCING, **covering)
    assert isinstance(verdict, Refused)


def test_a_contract_takes_margin_and_not_its_price() -> None:
    """Five at a mark of 100 and a fee of a thousandth: 500.5 without leverage, 100.5 at five."""
    bare = {"pending": (), "positions": {}}
    assert check(SHORT, {}, cash_free_quote=D("500.5"), **bare) is APPROVED
    assert check(SHORT, {}, cash_free_quote=D("500.4"), **bare) == Refused(
        "BuyingPower", D("500.5"), D("500.4"), "quote"
    )
    assert check(SHORT, {}, cash_free_quote=D("100.5"), leverage=D(5), **bare) is APPROVED
    assert isinstance(check(SHORT, {}, cash_free_quote=D("100.4"), leverage=D(5), **bare), Refused)


def test_margin_of_what_is_under_way_is_set_aside_and_none_of_what_covers() -> None:
    bare = {"positions": {(BTC, "b"): D(-10)}, "leverage": D(2)}
    opening = (Pending("b", BTC, "sell", D(4), D(99)),)
    assert replace(STATE, pending=opening, **bare).set_aside_quote() == D(200)
    covering = (Pending("b", BTC, "buy", D(4), D(101)),)
    assert replace(STATE, pending=covering, **bare).set_aside_quote() == 0
    flipping = (Pending("b", BTC, "buy", D(14), D(101)),)
    assert replace(STATE, pending=flipping, **bare).set_aside_quote() == D(202)
    coins = (Pending("b", COINS, "buy", D(2), D(99)), Pending("b", COINS, "sell", D(2), D(99)))
    assert replace(STATE, pending=coins, positions={}).set_aside_quote() == D(198), "coins take their price"


def test_a_short_of_what_has_no_history_is_refused_by_value_at_risk() -> None:
    pending = (Pending("b", ETH, "sell", D(1), D(50)),)
    verdict = check(SHORT, {"var_quote_max": D(1)}, loss_shares={BTC: D("0.02")}, positions={}, pending=pending)
    assert verdict == Refused("VarLimit", None, D(1), "quote")


def test_a_short_warns_at_the_soft_limit_and_a_cover_never() -> None:
    rules = build_rules(WIDE.with_values({"position_quote_max": D(1_600), "soft_share": D("0.9")}))
    assert rules.warnings(SHORT, STATE) == (Warned("PositionLimit", D(1_600), D("1440.0"), "quote"),)
    assert rules.warnings(COVER, STATE) == ()


def test_a_short_is_cut_to_the_soft_limit_on_liquidity_and_a_cover_is_not() -> None:
    rules = build_rules(WIDE.with_values({"volume_share_max": D("0.05"), "soft_share": D("0.8")}))
    assert rules.fitting(replace(SHORT, price=D(100)), STATE) == D(2)
    assert rules.fitting(COVER, STATE) == COVER.quantity


def test_near_its_liquidation_a_contract_is_closed_and_not_added_to() -> None:
    limit, near = {"liquidation_share_min": D("0.1")}, {"liquidation_shares": {BTC: D("0.0999")}}
    assert check(SHORT, limit, **near) == Refused("LiquidationLimit", D("0.0999"), D("0.1"), "share")
    assert check(COVER, limit, **near) is APPROVED
    assert check(FLIP, limit, **near) != APPROVED
    assert check(SHORT, limit, liquidation_shares={BTC: D("0.1"), ETH: D(0)}) is APPROVED
    assert check(SHORT, limit) is APPROVED, "the venue names no price"


def test_coins_are_never_sold_beyond_what_is_held_whatever_contracts_may() -> None:
    sale = Candidate("a", COINS, "sell", D(1), D(99))
    assert check(sale, {}) == Refused("HeldQuantity", D(1), D(0), "base")
