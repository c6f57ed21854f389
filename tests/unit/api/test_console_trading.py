"""Goal: pages of trading say what is used of limits, why an order was made, what came of it, and who ordered what."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.commands import AmendBody, LimitBody, ReasonBody
from api.console.bounds import Book, agree_question, limits_written, meter, used, waiting_written
from api.console.charts import Ink, equity
from api.console.deeds import deed
from api.console.formats import Precision, Steps
from api.console.outcome import sent
from api.console.pages.commands import told
from api.console.pages.positions import at_mark, drawdowns, totals
from api.console.story import Story, figures, legs, sentence, timeline, worse_bips
from api.console.tables import Reader
from api.console.trader import body_of
from ares.control import Json
from ares.errors import UsageError
from ares.store import Record

READER = Reader(precision=Precision({("sim", "BTC/USDT"): Steps(2, 5)}))
AT_NS = 1_700_000_000_000_000_000
STEP: Record = {
    "ts": AT_NS, "account": "paper", "venue": "sim", "symbol": "BTC/USDT", "strategy": "signal_momentum",
    "event": "intended", "state": "INTENDED", "side": "buy", "type": "limit", "time_in_force": "IOC",
    "order_id": "ares1", "seq": 1, "venue_order_id": None, "cycle_id": "paper-1", "correlation_id": "c1",
    "quantity": Decimal("0.02"), "price": Decimal("100.5"), "filled_quantity": Decimal(0), "filled_cost": Decimal(0),
    "signal_known_at": None, "reason": None, "trace_id": "t1", "stop_price": None, "trailing_bips": None,
    "list_id": None,
}  # fmt: skip
FILL: Record = {
    "ts": AT_NS + 2_000_000, "venue": "sim", "symbol": "BTC/USDT", "side": "buy", "liquidity": "taker",
    "fee_currency": "USDT", "quantity": Decimal("0.02"), "price": Decimal("100.10"), "cost": Decimal("2.002"),
    "fee": Decimal("0.0020"), "fee_quote": Decimal("0.0020"),
}  # fmt: skip
DECISION: Record = {
    "ts": AT_NS - 1_000_000, "venue": "sim", "symbol": "BTC/USDT", "strategy": "signal_momentum", "version": 1,
    "action": "buy", "rule": None, "unit": None, "state": "ACTIVE", "signal_ts": AT_NS, "target": 0.8,
    "mark": Decimal("100.0"), "quantity": Decimal(0), "target_quantity": Decimal("0.02"),
    "order_quantity": Decimal("0.02"), "observed": None, "limit_value": None, "limit_scale": Decimal("0.5"),
    "reason": "to_target", "warnings": None,
}  # fmt: skip
FILLED: Record = {**STEP, "seq": 2, "event": "filled", "state": "FILLED", "ts": AT_NS + 3_000_000,
                  "filled_quantity": Decimal("0.02"), "venue_order_id": "7"}  # fmt: skip
BOOK = Book(
    exposure=[
        {"symbol": "BTC/USDT", "worst_case_quote": 300.0},
        {"symbol": "ETH/USDT:USDT", "worst_case_quote": -100.0},
    ],
    held=[
        {"strategy": "one", "quantity": Decimal(2), "mark": 10.0, "average_price": Decimal(9)},
        {"strategy": "two", "quantity": Decimal(-3), "mark": None, "average_price": Decimal(20)},
    ],
    equity={"equity_quote": Decimal(1000), "day_pnl_quote": Decimal(-25)},
    drawdown=0.04,
)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("position_quote_max", 300.0),
        ("gross_exposure_quote_max", 400.0),
        ("net_exposure_quote_max", 200.0),
        ("strategy_exposure_quote_max", 60.0),
        ("leverage_max", 0.4),
        ("concentration_max", 0.3),
        ("daily_loss_quote_max", 25.0),
        ("drawdown_max", 0.04),
        ("price_collar", None),
        ("a limit of tomorrow", None),
    ],
)
def test_what_is_used_of_a_limit_is_in_its_unit(name: str, taken: float | None) -> None:
    assert used(name, "", "", BOOK) == (None if taken is None else pytest.approx(taken))


def test_a_limit_of_one_symbol_or_strategy_is_compared_with_that_alone() -> None:
    assert used("position_quote_max", "", "ETH/USDT:USDT", BOOK) == 100.0
    assert used("strategy_exposure_quote_max", "one", "", BOOK) == 20.0
    assert used("position_quote_max", "one", "", BOOK) is None


def test_a_day_that_gained_uses_nothing_of_the_loss_and_no_worth_no_leverage() -> None:
    gained = Book(equity={"equity_quote": Decimal(0), "day_pnl_quote": Decimal(5)})
    assert used("daily_loss_quote_max", "", "", gained) == 0.0
    assert used("leverage_max", "", "", gained) is None
    assert used("daily_loss_quote_max", "", "", Book()) is None


@pytest.mark.parametrize(
    ("taken", "tone"), [(0.0, "good"), (79.0, "good"), (80.0, "warn"), (100.0, "bad"), (500.0, "bad")]
)
def test_a_bar_says_how_near_a_limit_is(taken: float, tone: str) -> None:
    shown = meter(taken, 100.0, "quote")
    assert f'class="meter {tone}"' in shown
    assert f"{min(taken, 100.0):.1f}%" in shown


def test_a_limit_that_was_set_tells_by_whom_and_one_that_is_none_says_so() -> None:
    limits = [
        {"name": "position_quote_max", "value": "2000", "unit": "quote", "configured": "5000", "set_by": "maria",
         "approved_by": "<b>", "since": "2026-11-29T07:15:52.773859761Z", "strategy": "", "symbol": ""},
        {"name": "var_quote_max", "value": "", "unit": "quote"},
    ]  # fmt: skip
    shown = limits_written(limits, BOOK, READER)
    assert "maria, &lt;b&gt; agreed" in shown
    assert "2,000.00" in shown
    assert "not limited" in shown
    assert "2026-11-29 07:15:52.773" in shown


def test_without_a_database_nothing_is_said_to_be_used() -> None:
    assert "meter" not in limits_written([{"name": "position_quote_max", "value": "5", "unit": "quote"}], None, READER)


def test_only_who_may_is_shown_how_to_agree() -> None:
    asked = [{"id": "limit-1", "name": "position_quote_max", "value": "9", "before": "5", "asked_by": "maria"}]
    assert 'data-deed="approve" data-of="limit-1"' in waiting_written(asked, READER, may=True)
    assert "<button" not in waiting_written(asked, READER, may=False)


@given(st.text(max_size=30))
def test_a_button_of_a_row_holds_whatever_as_text(text: str) -> None:
    shown = deed("cancel", f'"><script>{text}', "Cancel", f"<script>{text}")
    assert "<script" not in shown
    assert shown.count("<button") == 1


def test_an_order_that_was_executed_is_told_in_a_sentence() -> None:
    told_of = sentence(Story([STEP, FILLED], [FILL], DECISION), READER)
    assert "Bought 0.02000" in told_of
    assert "BTC/USDT at 100.10" in told_of
    assert "wanted +0.80, to come to its target" in told_of


def test_an_order_by_hand_names_who_ordered_it() -> None:
    by_hand = {**DECISION, "signal_ts": None}
    command: Record = {"ts": AT_NS, "actor": "maria", "command": "order", "status": "done"}
    assert "because maria ordered it by hand" in sentence(Story([STEP], (), by_hand, commands=[command]), READER)


def test_an_order_that_protects_and_one_that_came_to_nothing_say_so() -> None:
    protects = {**STEP, "cycle_id": "protection", "side": "sell"}
    assert "Stands to sell 0.02000" in sentence(Story([protects]), READER)
    assert "to protect what" in sentence(Story([protects]), READER)
    expired = {**STEP, "state": "EXPIRED", "seq": 2}
    assert "Was to buy 0.02000</strong> BTC/USDT, but was expired" in sentence(Story([STEP, expired]), READER)


def test_an_order_executed_in_part_tells_of_how_much() -> None:
    part = {**FILL, "quantity": Decimal("0.01"), "cost": Decimal("1.001")}
    open_still = {**FILLED, "state": "PARTIALLY_FILLED", "filled_quantity": Decimal("0.01")}
    assert "Bought 0.01000</strong> of 0.02000 BTC/USDT at 100.10 so far" in sentence(
        Story([STEP, open_still], [part], DECISION), READER
    )
    ended = {**open_still, "state": "CANCELED"}
    assert "at 100.10, then canceled" in sentence(Story([STEP, ended], [part], DECISION), READER)


def test_what_an_order_cost_is_measured_at_the_mark_of_its_decision() -> None:
    shown = figures(Story([STEP, FILLED], [FILL], DECISION), READER)
    assert "10.00 bp" in shown
    assert "0.0020" in shown
    assert worse_bips("sell", Decimal(99), Decimal(100)) == 100.0
    assert worse_bips("sell", Decimal(99), None) is None


def test_steps_stand_in_the_order_of_time_whatever_order_they_came_in() -> None:
    signal: Record = {"known_at": AT_NS - 9_000_000, "target": 0.8, "confidence": 0.5, "revision": 0}
    features: list[Record] = [
        {"name": name, "version": 1, "value": 0.25, "known_at": AT_NS - 10_000_000} for name in ("momentum", "<b>")
    ]
    story = Story([STEP, FILLED], [FILL], DECISION, signal=signal, features=features, inputs=frozenset({"momentum_v1"}))
    shown = timeline(story, READER)
    heads = ["Features were frozen", "The signal", "The decision", "Written down", "A fill", "Executed in whole"]
    assert [shown.index(head) for head in heads] == sorted(shown.index(head) for head in heads)
    assert "1 more of that minute" in shown
    assert "&lt;b&gt;" in shown
    assert "counted 50% of what is set" in shown
    assert len(list(legs(story, READER))) == len(heads)


def test_a_refusal_says_which_limit_and_by_how_much() -> None:
    refused = {
        **DECISION,
        "rule": "PositionLimit",
        "unit": "quote",
        "observed": Decimal(12),
        "limit_value": Decimal(10),
    }
    assert "Limit <code>PositionLimit</code>: 12.00 of 10.00." in timeline(Story([STEP], (), refused), READER)


@given(st.lists(st.tuples(st.floats(1, 1e6), st.floats(-1e5, 1e5)), min_size=1, max_size=30))
def test_a_drawdown_is_never_above_0_and_is_0_at_a_new_best(points: list[tuple[float, float]]) -> None:
    found = drawdowns([{"worth": worth, "profit": profit, "best": profit} for worth, profit in points])
    best = float("-inf")
    for (_, profit), fell in zip(points, found, strict=True):
        assert fell <= 0
        if profit >= best:
            best = profit
            assert fell == 0


def test_strategies_are_added_up_over_their_symbols() -> None:
    one: Record = {
        "account": "paper", "strategy": "one", "quantity": Decimal(2), "mark": 5.0, "average_price": Decimal(4),
        "realised_quote": 1.0, "unrealised_quote": 2.0, "funding_quote": 0.0, "pnl_quote": 3.0, "fees_quote": 0.5,
    }  # fmt: skip
    unquoted: Record = {**one, "mark": None, "unrealised_quote": None, "pnl_quote": float("nan")}
    (row,) = totals([at_mark(one), at_mark(unquoted)])
    assert (row["held_quote"], row["pnl_quote"], row["fees_quote"]) == (18.0, 3.0, 1.0)


def test_worth_and_its_fall_have_axes_of_their_own() -> None:
    options = equity(["a", "b"], {"paper": [1.0, 2.0]}, {"paper, drawdown": [0.0, -1.0]}, Ink.of(dark=False))
    series = options["series"]
    assert isinstance(series, list)
    assert [each.get("yAxisIndex", 0) for each in series] == [0, 1]


def test_a_command_says_what_was_asked_and_what_came_of_it() -> None:
    row: Record = {"arguments": '{"reason":"","symbol":"BTC/USDT","price":null}', "outcome": '{"order_id":"ares1"}'}
    assert told(row)["asked"] == "symbol BTC/USDT"
    assert told(row)["order_id"] == "ares1"
    failed = told({"arguments": None, "outcome": '{"error":"usage","message":"no such order"}'})
    assert failed["said"] == "no such order"
    assert told({"arguments": "no json", "outcome": None})["asked"] == "message no json"


def test_a_change_says_whether_it_is_the_same_order() -> None:
    stands: dict[str, Json] = {"order_id": "a", "state": "ACCEPTED", "sent": True, "action": "buy"}
    assert sent(stands, "a") == "Order a: ACCEPTED."
    instead = sent({**stands, "order_id": "b", "cancelled": True}, "a")
    assert instead == "Order a is cancelled. Order b: ACCEPTED, it stands for a."


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"action": "skip", "reason": "order_open", "sent": False}, "Not sent: order_open"),
        (
            {
                "action": "refuse",
                "sent": False,
                "rule": "PositionLimit",
                "observed": "9",
                "limit": "5",
                "unit": "quote",
            },
            "Refused: PositionLimit saw 9 quote, allowed are 5",
        ),
        ({"action": "refuse", "sent": False, "observed": None, "reason": "halted"}, "Refused: halted"),
        (
            {"action": "buy", "sent": False, "state": "REJECTED", "order_id": "a", "reason": "too little"},
            "Not sent, order a is REJECTED: too little",
        ),
        ({"action": "skip", "cancelled": True, "sent": False, "reason": "x"}, "Order a is cancelled. Not sent: x"),
    ],
)
def test_what_was_not_sent_is_told_as_what_went_wrong(answer: dict[str, Json], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        sent(answer, "a")


def test_an_order_near_a_limit_says_by_how_much() -> None:
    near: list[Json] = [{"rule": "PositionLimit", "observed": "4.5", "soft": "4", "unit": "quote"}]
    answer: dict[str, Json] = {"order_id": "a", "state": "FILLED", "sent": True, "action": "buy", "warnings": near}
    assert sent(answer).endswith("FILLED. Near a limit: PositionLimit saw 4.5 quote, it warns from 4.")


def test_who_agrees_to_a_limit_is_told_what_it_was_and_will_be() -> None:
    asked = {"name": "leverage_max", "before": "2", "value": "", "asked_by": "maria", "symbol": "BTC/USDT"}
    assert agree_question(asked) == (
        "Agree that leverage_max of BTC/USDT goes from 2 to its setting? maria asks: no reason given."
    )


def test_what_is_typed_is_held_to_what_the_api_takes() -> None:
    assert body_of(AmendBody, quantity=" 0.5 ", reason="").quantity == "0.5"
    with pytest.raises(UsageError, match="quantity = 'all'"):
        body_of(AmendBody, quantity="all")
    with pytest.raises(UsageError, match="value = 'much'"):
        body_of(LimitBody, name="position_quote_max", value="much")
    with pytest.raises(UsageError, match="reason = "):
        body_of(ReasonBody, reason="two\nlines")
