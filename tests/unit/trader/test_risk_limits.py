"""Goal: each limit on exposure, loss, liquidity and pace holds to its figure, fails safe without data, lets us out."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trader.risk import (
    APPROVED,
    LIMITS,
    Candidate,
    Limits,
    Pending,
    Refused,
    RiskState,
    ScalePolicy,
    Sent,
    TradingState,
    Verdict,
    Warned,
    build_rules,
    exposure_scale,
)

BTC, ETH = "BTC/USDT", "ETH/USDT"
D = Decimal
WIDE = Limits(
    order_notional_quote_max=D(10**6),
    position_quote_max=D(10**6),
    gross_exposure_quote_max=D(10**6),
    daily_loss_quote_max=D(10**6),
    price_collar=D("0.5"),
    signal_age_s_max=D(180),
    quote_age_s_max=D(10),
    mark_age_s_max=D(60),
)
"""Nothing but the limit under test speaks up."""
STATE = RiskState(
    trading_state=TradingState.ACTIVE,
    signal_age_s=D(1),
    quote_age_s=D(1),
    mark=D(100),
    reference=D(100),
    cash_free_quote=D(10**6),
    day_pnl_quote=D(0),
    positions={(BTC, "a"): D(10), (ETH, "b"): D(10)},
    marks={BTC: D(100), ETH: D(50)},
    pending=(Pending("b", BTC, "buy", D(1), D(100)), Pending("a", ETH, "sell", D(1), D(50))),
    equity_quote=D(10_000),
    drawdown_quote=D(0),
    spread=D("0.001"),
    volume_quote=D(5_000),
    loss_shares={BTC: D("0.02"), ETH: D("0.04")},
)
BUY = Candidate("a", BTC, "buy", D(5), D(100))
SELL = Candidate("a", BTC, "sell", D(10), D(100))


def check(order: Candidate, limit: dict[str, Decimal], **changes: object) -> Verdict:
    return build_rules(WIDE.with_values(limit)).check(order, replace(STATE, **changes))


BOUNDS = [
    # limit, rule, observed with BUY, unit
    ("order_notional_quote_max", "OrderNotionalLimit", D(500), "quote"),
    ("position_quote_max", "PositionLimit", D(1_600), "quote"),
    ("gross_exposure_quote_max", "GrossExposureLimit", D(2_100), "quote"),
    ("net_exposure_quote_max", "NetExposureLimit", D(2_100), "quote"),
    ("strategy_exposure_quote_max", "StrategyExposureLimit", D(1_500), "quote"),
    ("leverage_max", "LeverageLimit", D("0.21"), "factor"),
    ("concentration_max", "ConcentrationLimit", D("0.16"), "share"),
    ("var_quote_max", "VarLimit", D(52), "quote"),
    ("volume_share_max", "LiquidityLimit", D("0.1"), "share"),
    ("spread_max", "SpreadLimit", D("0.001"), "share"),
    ("orders_per_minute_max", "OrderRateLimit", D(1), "orders"),
]


@pytest.mark.parametrize(("name", "rule", "observed", "unit"), BOUNDS)
def test_a_buy_passes_at_the_limit_and_is_refused_just_above_it(
    name: str, rule: str, observed: Decimal, unit: str
) -> None:
    assert LIMITS[name].unit == unit
    assert check(BUY, {name: observed}) is APPROVED
    below = observed - D("0.0000000001")
    assert check(BUY, {name: below}) == Refused(rule, observed, below, unit)


@pytest.mark.parametrize("name", [bound[0] for bound in BOUNDS[1:]])
def test_the_way_out_stays_open_however_far_a_limit_is_breached(name: str) -> None:
    assert check(SELL, {name: D("0.0000000001")}, sent=(Sent("a", BTC, "sell", D(10), D(0)),) * 100) is APPROVED


@pytest.mark.parametrize(
    ("name", "rule", "missing"),
    [
        ("leverage_max", "LeverageLimit", {"equity_quote": None}),
        ("leverage_max", "LeverageLimit", {"equity_quote": D(0)}),
        ("concentration_max", "ConcentrationLimit", {"equity_quote": None}),
        ("drawdown_max", "DrawdownLimit", {"drawdown_quote": None}),
        ("drawdown_max", "DrawdownLimit", {"equity_quote": None}),
        ("var_quote_max", "VarLimit", {"loss_shares": {}}),
        ("var_quote_max", "VarLimit", {"loss_shares": {BTC: D("0.02")}}),
        ("volume_share_max", "LiquidityLimit", {"volume_quote": None}),
        ("volume_share_max", "LiquidityLimit", {"volume_quote": D(0)}),
        ("spread_max", "SpreadLimit", {"spread": None}),
    ],
)
def test_what_cannot_be_known_refuses_buys_and_no_sell(name: str, rule: str, missing: dict[str, object]) -> None:
    verdict = check(BUY, {name: D(1)}, **missing)
    assert isinstance(verdict, Refused)
    assert (verdict.rule, verdict.observed, verdict.limit) == (rule, None, D(1))
    assert check(SELL, {name: D(1)}, **missing) is APPROVED


def test_drawdown_is_measured_against_what_the_account_was_worth_at_its_highest() -> None:
    limit = {"drawdown_max": D("0.2")}
    assert check(BUY, limit, equity_quote=D(8_000), drawdown_quote=D(2_000)) is APPROVED
    verdict = check(BUY, limit, equity_quote=D(8_000), drawdown_quote=D(2_001))
    assert verdict == Refused("DrawdownLimit", D("0.2000799920"), D("0.2"), "share")
    assert check(SELL, limit, equity_quote=D(1), drawdown_quote=D(9_999)) is APPROVED


def test_the_same_buy_does_not_come_again_too_soon_and_another_does() -> None:
    limit = {"duplicate_s": D(3)}
    young = (Sent("a", BTC, "buy", D(5), D("2.999")),)
    assert check(BUY, limit, sent=young) == Refused("DuplicateOrder", D("2.999"), D(3), "s")
    assert check(BUY, limit, sent=(replace(young[0], age_s=D(3)),)) is APPROVED
    assert check(replace(BUY, quantity=D(6)), limit, sent=young) is APPROVED
    assert check(replace(BUY, strategy="b"), limit, sent=young) is APPROVED
    assert check(SELL, limit, sent=(Sent("a", BTC, "sell", D(10), D(0)),)) is APPROVED


def test_orders_older_than_a_minute_do_not_count_in_the_rate_and_sells_do() -> None:
    sent = (Sent("b", ETH, "sell", D(1), D("59.9")), Sent("a", BTC, "buy", D(1), D(60)))
    assert check(BUY, {"orders_per_minute_max": D(2)}, sent=sent) is APPROVED
    assert check(BUY, {"orders_per_minute_max": D(1)}, sent=sent) == Refused("OrderRateLimit", D(2), D(1), "orders")


def test_net_exposure_counts_what_is_under_way_in_the_direction_that_hurts() -> None:
    least, most = STATE.net_worst_case_quote()
    assert (least, most) == (D(1_450), D(1_600))
    short = replace(STATE, positions={(BTC, "a"): D(10)}, pending=(Pending("a", ETH, "sell", D(30), D(50)),))
    rule = build_rules(WIDE.with_values({"net_exposure_quote_max": D(1_000)}))
    verdict = rule.check(SELL, short)
    assert verdict == Refused("NetExposureLimit", D(1_500), D(1_000), "quote"), "it would turn short beyond the limit"


def test_net_exposure_counts_no_sale_of_what_protects_for_it_gives_way() -> None:
    protects = Pending("a", BTC, "sell", D(10), D(100), protects=True)
    held = replace(STATE, positions={(BTC, "a"): D(10)}, pending=(protects,))
    assert held.net_worst_case_quote()[0] == 10 * held.marks[BTC]
    rule = build_rules(WIDE.with_values({"net_exposure_quote_max": D(1)}))
    assert rule.check(SELL, held) is APPROVED


def test_a_soft_limit_warns_and_does_not_refuse() -> None:
    rules = build_rules(WIDE.with_values({"position_quote_max": D(1_600), "soft_share": D("0.9")}))
    assert rules.check(BUY, STATE) is APPROVED
    assert rules.warnings(BUY, STATE) == (Warned("PositionLimit", D(1_600), D("1440.0"), "quote"),)
    assert rules.warnings(replace(BUY, quantity=D("3.4")), STATE) == (), "at the soft limit is within it"
    assert rules.warnings(SELL, STATE) == ()


def test_a_buy_is_cut_to_the_soft_limit_on_liquidity_and_a_sell_is_not() -> None:
    rules = build_rules(WIDE.with_values({"volume_share_max": D("0.05"), "soft_share": D("0.8")}))
    assert rules.fitting(BUY, STATE) == 2
    assert rules.fitting(SELL, STATE) == SELL.quantity
    assert rules.fitting(BUY, replace(STATE, volume_quote=None)) == BUY.quantity, "its hard limit refuses then"


def test_a_scale_draws_in_limits_on_exposure_and_no_others() -> None:
    limits = WIDE.with_values({"leverage_max": D(1), "volume_share_max": D("0.1")})
    scaled = limits.scaled(D("0.5"))
    assert (scaled.position_quote_max, scaled.leverage_max) == (D(500_000), D("0.5"))
    assert (scaled.order_notional_quote_max, scaled.volume_share_max) == (D(10**6), D("0.1"))
    assert scaled.var_quote_max is None


POLICY = ScalePolicy(scale_min=D("0.25"), drawdown_max=D("0.2"))


@pytest.mark.parametrize(
    ("turbulence", "drawdown", "scale"),
    [
        ("0.5", "0", "1"),
        ("1", "0", "1"),
        ("2", "0", "0.5"),
        ("100", "0", "0.25"),
        ("1", "0.1", "0.625"),
        ("1", "0.2", "0.25"),
        ("1", "0.9", "0.25"),
        ("2", "0.1", "0.5"),
        (None, "0", "0.25"),
        ("1", None, "0.25"),
    ],
)
def test_limits_shrink_with_turbulence_and_drawdown_and_most_where_either_is_unknown(
    turbulence: str | None, drawdown: str | None, scale: str
) -> None:
    wild, fallen = (None if each is None else D(each) for each in (turbulence, drawdown))
    assert exposure_scale(wild, fallen, POLICY) == D(scale)


def test_a_tighter_value_takes_effect_and_a_looser_one_does_not() -> None:
    limits = WIDE.with_values({"duplicate_s": D(3)})
    by = {"position_quote_max": D(5), "gross_exposure_quote_max": D(10**7), "leverage_max": D(2), "duplicate_s": D(1)}
    tight = limits.tightened(by)
    assert (tight.position_quote_max, tight.gross_exposure_quote_max) == (D(5), D(10**6))
    assert tight.leverage_max == 2, "where nothing was limited any limit is tighter"
    assert tight.duplicate_s == 3, "a longer time is the tighter one"
    assert limits.tightened({"duplicate_s": D(4)}).duplicate_s == 4
