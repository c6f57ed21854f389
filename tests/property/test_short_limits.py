"""Goal: on either side no way out is refused for what is at risk, more is never easier, and no limit is passed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ares.model.market import Side
from tests.property.test_risk_interleavings import LIMITS
from trader.portfolio.legs import way_out
from trader.risk import APPROVED, Candidate, Pending, Refused, RiskState, Sent, TradingState, build_rules
from trader.risk import LIMITS as LIMIT_NAMES

D = Decimal
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
SYMBOLS, STRATEGIES = (BTC, ETH), ("a", "b")
MARK = D(100)
RULES = build_rules(LIMITS)
TECHNICAL = {"PriceCollar", "StaleQuote", "StaleSignal", "OrderNotionalLimit"}
"""What may refuse a way out: no such price or data, or an order so large that sizing would have cut it."""

signed = st.decimals(D(-60), D(60), allow_nan=False, allow_infinity=False, places=2)
amounts = st.decimals(D("0.01"), D(60), allow_nan=False, allow_infinity=False, places=2)
positions = st.dictionaries(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(STRATEGIES)), signed, max_size=4)
sides: st.SearchStrategy[Side] = st.sampled_from(("buy", "sell"))
pendings = st.lists(
    st.builds(
        Pending,
        strategy=st.sampled_from(STRATEGIES),
        symbol=st.sampled_from(SYMBOLS),
        side=sides,
        remaining=amounts,
        price=st.decimals(D(95), D(105), places=1),
    ),
    max_size=4,
)
money = st.decimals(D(-20_000), D(20_000), allow_nan=False, allow_infinity=False, places=0)


def state(held: dict[tuple[str, str], Decimal], under_way: list[Pending], **changes: object) -> RiskState:
    known = RiskState(
        trading_state=TradingState.ACTIVE,
        signal_age_s=D(1),
        quote_age_s=D(1),
        mark=MARK,
        reference=MARK,
        cash_free_quote=D(20_000),
        day_pnl_quote=D(0),
        positions=held,
        marks=dict.fromkeys(SYMBOLS, MARK),
        pending=tuple(under_way),
        equity_quote=D(11_000),
        drawdown_quote=D(0),
        spread=D("0.001"),
        volume_quote=D(50_000),
        loss_shares={BTC: D("0.03"), ETH: D("0.05")},
        leverage=D(2),
    )
    return replace(known, **changes)


def price_of(side: Side) -> Decimal:
    return D("100.1") if side == "buy" else D("99.9")


@given(
    positions,
    pendings,
    st.tuples(money, money, st.none() | money, st.sampled_from((TradingState.ACTIVE, TradingState.REDUCING))),
    st.decimals(D("0.01"), D(1), places=2),
    st.decimals(D("0.0001"), D(2), places=4),
)
def test_a_way_out_is_never_refused_for_what_is_at_risk(
    held: dict[tuple[str, str], Decimal],
    under_way: list[Pending],
    account: tuple[Decimal, Decimal, Decimal | None, TradingState],
    part: Decimal,
    factor: Decimal,
) -> None:
    """Whatever else is held, lost, missing or under way, and however tight limits became."""
    cash, day, equity, trading = account
    under_way = [p for p in under_way if (p.symbol, p.strategy) != (BTC, "a")]  # the desk has one order of a strategy
    now = state(
        held,
        under_way,
        cash_free_quote=cash,
        day_pnl_quote=day,
        equity_quote=equity,
        drawdown_quote=None,
        spread=None,
        volume_quote=None,
        loss_shares={},
        mark_age_s=D(10**6),
        trading_state=trading,
        sent=(Sent("a", BTC, "buy", D(1), D(0)), Sent("a", BTC, "sell", D(1), D(0))) * 50,
    )
    quantity = (abs(held.get((BTC, "a"), D(0))) * part).quantize(D("0.01"))
    if not quantity:
        return
    side = way_out(held[BTC, "a"])
    tight = {n: LIMITS.get(n) for n, named in LIMIT_NAMES.items() if not named.least and named.unit != "s"}
    limits = LIMITS.with_values({n: v * factor for n, v in tight.items() if v is not None and n != "price_collar"})
    verdict = build_rules(limits).check(Candidate("a", BTC, side, quantity, price_of(side)), now)
    assert verdict is APPROVED or (isinstance(verdict, Refused) and verdict.rule in TECHNICAL)


@given(
    positions,
    pendings,
    sides,
    st.tuples(amounts, amounts),
    st.sampled_from(sorted(n for n in LIMIT_NAMES if LIMITS.get(n))),
)
def test_a_larger_order_never_passes_where_a_smaller_one_is_refused_on_either_side(
    held: dict[tuple[str, str], Decimal],
    under_way: list[Pending],
    side: Side,
    quantities: tuple[Decimal, Decimal],
    name: str,
) -> None:
    value = LIMITS.get(name)
    assert value is not None, "all of them are limited here"
    rules = build_rules(LIMITS.with_values({name: value / 2}))
    small, large = sorted(quantities)
    now, order = state(held, under_way), Candidate("a", BTC, side, small, price_of(side))
    if isinstance(rules.check(order, now), Refused):
        assert isinstance(rules.check(replace(order, quantity=large), now), Refused)


@given(positions, pendings, sides, amounts)
def test_what_opens_and_is_approved_keeps_every_limit_whatever_becomes_of_orders_under_way(
    held: dict[tuple[str, str], Decimal], under_way: list[Pending], side: Side, quantity: Decimal
) -> None:
    """Every subset of what is under way may be executed: the account is worked out anew for each."""
    now, order = state(held, under_way), Candidate("a", BTC, side, quantity, price_of(side))
    if RULES.check(order, now) is not APPROVED or not now.opening(order):
        return
    every = [*under_way, Pending("a", BTC, side, quantity, now.worst_price(order))]
    for chosen in range(2 ** len(every)):
        after = dict(held)
        for number, each in enumerate(every):
            if chosen >> number & 1:
                sign = 1 if each.side == "buy" else -1
                key = (each.symbol, each.strategy)
                after[key] = after.get(key, D(0)) + sign * each.remaining
        by_symbol = {s: sum((abs(q) for (at, _), q in after.items() if at == s), D(0)) * MARK for s in SYMBOLS}
        assert by_symbol[BTC] <= LIMITS.position_quote_max
        assert sum(by_symbol.values()) <= LIMITS.gross_exposure_quote_max
        assert sum(by_symbol.values()) <= D("0.7") * 11_000
        own = sum((abs(q) for (_, who), q in after.items() if who == "a"), D(0)) * MARK
        assert own <= D(4_000)
    sign = 1 if side == "buy" else -1
    same_way = sum(held.values(), D(0)) * sign + sum((p.remaining for p in every if p.side == side), D(0))
    assert same_way * MARK <= D(7_500)


@given(positions, pendings)
def test_the_worst_case_is_the_same_for_the_mirrored_account(
    held: dict[tuple[str, str], Decimal], under_way: list[Pending]
) -> None:
    """Shorts count as longs do: turn every side round, and every sum is what it was."""
    other: dict[Side, Side] = {"buy": "sell", "sell": "buy"}
    now = state(held, under_way)
    mirrored = state({key: -q for key, q in held.items()}, [replace(p, side=other[p.side]) for p in under_way])
    assert now.gross_worst_case_quote() == mirrored.gross_worst_case_quote()
    assert now.set_aside_quote() == mirrored.set_aside_quote()
    least, most = now.net_worst_case_quote()
    assert mirrored.net_worst_case_quote() == (-most, -least)
    for name in STRATEGIES:
        assert now.strategy_worst_case_quote(name) == mirrored.strategy_worst_case_quote(name)
    for symbol in SYMBOLS:
        assert now.worst_case_quantity(symbol) == mirrored.worst_case_quantity(symbol)
        assert now.symbol_worst_case_quote(symbol) == mirrored.symbol_worst_case_quote(symbol)
