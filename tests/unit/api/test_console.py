"""Goal: what pages show is what rows say: for people, in their zone, by the instrument's steps, and harmless."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from api.console.book import depth, levels, tape
from api.console.charts import Candle, Ink, Mark, candles
from api.console.entry import inside
from api.console.formats import Precision, Steps, duration, moment, number, places, share, since, zone_of
from api.console.pages.market import Places, candle
from api.console.tables import Col, Form, Reader, badge, signed, table
from api.console.ticket import previewed
from ares.control import Json
from ares.store import Record, Value

READER = Reader(zone=ZoneInfo("Europe/Vienna"), precision=Precision({("sim", "BTC/USDT"): Steps(2, 5)}))
NOON_NS = 1_700_000_000_123_456_789
INK = Ink.of(dark=True)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12), st.integers(0, 10))
def test_a_figure_reads_back_as_what_it_was_rounded_to(value: Decimal, decimals: int) -> None:
    text = number(value, decimals)
    assert Decimal(text.replace(",", "").replace("−", "-")) == round(value, decimals)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "12", True])
def test_what_is_no_figure_is_a_dash(value: Value) -> None:
    assert (number(value, 2), share(value), duration(value), moment(value, UTC)) == ("–",) * 4


@given(st.integers(0, 10))
def test_a_step_has_its_decimals(decimals: int) -> None:
    assert places(Decimal(1).scaleb(-decimals)) == decimals


def test_a_moment_is_in_the_readers_zone_and_of_today_only_its_time() -> None:
    assert moment(NOON_NS, READER.zone) == "2023-11-14 23:13:20.123"
    assert moment(NOON_NS, READER.zone, now_ns=NOON_NS + 10**9) == "23:13:20.123"
    assert moment(NOON_NS, READER.zone, now_ns=NOON_NS + 3_600 * 10**9).startswith("2023-11-14")


@pytest.mark.parametrize("name", ["", "Nowhere/At all", "../../etc/passwd", "/etc/passwd", "Europe", "\x00"])
def test_a_zone_that_is_none_is_utc(name: str) -> None:
    assert zone_of(name) is UTC


def test_how_long_ago_is_said_in_one_unit() -> None:
    assert [since(0, s * 10**9) for s in (5, 600, 40_000, 900_000)] == ["5 s", "10 min", "11 h", "10 d"]


@given(st.text(), st.sampled_from(Form))
def test_whatever_a_cell_holds_is_text(value: str, form: Form) -> None:
    row: Record = {"name": f"<script>{value}</script>", "ts": NOON_NS}
    if form in {Form.TEXT, Form.CODE, Form.WORD, Form.STATE, Form.SIDE}:
        written = table("Things", [Col("name", "Name", form, "orders/{name}")], [row], READER)
        assert "<script" not in written
        assert "&lt;script&gt;" in written


def test_figures_have_the_instruments_decimals_and_stand_right() -> None:
    columns = [Col("price", "Price", Form.PRICE), Col("quantity", "Quantity", Form.AMOUNT)]
    row: Record = {"venue": "sim", "symbol": "BTC/USDT", "price": 61_500.0, "quantity": Decimal("0.0150000000")}
    written = table("Fills", columns, [row], READER)
    assert '<td class="right">61,500.00</td><td class="right">0.01500</td>' in written
    assert '<th scope="col" class="right">Price</th>' in written


def test_a_table_without_rows_says_so_in_words() -> None:
    assert table("Fills", [Col("ts", "Time")], [], READER) == Markup('<p class="empty">No fills.</p>')


def test_good_and_bad_are_said_by_sign_and_word_not_by_colour_alone() -> None:
    assert "+1.50" in signed(1.5)
    assert "−1.50" in signed(-1.5)
    assert badge("HALTED") == Markup('<span class="badge bad">HALTED</span>')


def test_links_lead_to_what_a_row_is_about_whatever_it_is_called() -> None:
    row: Record = {"order_id": "a/b?c", "symbol": "BTC/USDT"}
    assert 'href="/console/orders/a%2Fb%3Fc"' in table(
        "Orders", [Col("order_id", "Order", link="orders/{order_id}")], [row], READER
    )


def test_what_is_old_is_said_beside_a_state_without_changing_its_colour() -> None:
    assert badge("stale, 6 h") == Markup('<span class="badge warn">stale, 6 h</span>')
    assert depth({"bids": [[1.0], [1.0]], "asks": None}, Steps(), badge("stale, 6 h")).startswith("<span")


def test_depth_shows_best_levels_with_how_much_stands_up_to_each() -> None:
    book: Record = {"bids": [[100.0, 99.0], [1.0, 2.0]], "asks": [[101.0, 102.0], [0.5, 0.25]]}
    shown = depth(book, Steps(1, 2))
    assert shown.index("102.0") < shown.index("101.0") < shown.index("100.0") < shown.index("99.0")
    assert "<span>3.00</span>" in shown
    assert "width:100.0%" in shown


@pytest.mark.parametrize("side", [None, [], [[1.0]], "x", [[1.0], None]])
def test_a_book_that_is_none_has_no_levels(side: Value) -> None:
    assert levels(side) == []
    assert "No book" in depth({"bids": side, "asks": side}, Steps())


def test_the_tape_says_sides_in_words() -> None:
    trades: list[Record] = [{"ts": NOON_NS, "side": "sell", "price": 5.0, "amount": 1.0}]
    assert '<span class="unseen">sell </span>5.0' in tape(trades, Steps(1, 1), READER)


def test_candles_mark_what_was_done_and_shade_what_nobody_knows() -> None:
    traded = Candle("10:00", 1.0, 2.0, 0.5, 1.5, 9.0)
    bars = [traded, replace(traded, label="10:01", open=None, close=None, gap=True), replace(traded, label="10:02")]
    options = candles(bars, [Mark("10:02", 1.4, "buy", "buy 1")], [], {"sell 2": 1.9}, INK, decimals=4)
    series = options["series"]
    assert isinstance(series, list)
    price, fills = series[0], series[1]
    assert price["data"][1] == ["-", "-", "-", "-"]
    assert price["markArea"]["data"] == [[{"name": "gap", "xAxis": "10:01"}, {"xAxis": "10:01"}]]
    assert price["markLine"]["data"] == [{"name": "sell 2", "yAxis": 1.9}]
    assert fills["data"][0]["value"] == ["10:02", 1.4]
    assert (price["decimals"], fills["worded"]) == (4, True), "chart.js writes prices and marks by these"


def bar(ts: int, status: str, close: float | None) -> Record:
    figures = dict.fromkeys(("open", "high", "low", "volume"), close)
    return {"ts": ts, "venue": "sim", "symbol": "BTC/USDT", "status": status, "close": close, **figures}


def test_a_bar_of_a_day_has_the_name_of_its_day_west_of_greenwich_too() -> None:
    drawn = candle(bar(1_764_374_400 * 10**9, "traded", 1.0), ZoneInfo("America/New_York"), "1d")
    assert drawn.label == "2025-11-29"


def test_a_signal_of_a_quiet_minute_is_at_the_last_price_and_without_one_nowhere() -> None:
    at = Places([0, 60, 120], ["a", "b", "c"], [None, 5.0, 6.0])
    signals: list[Record] = [{"ts": ts, "strategy": "trend", "target": -0.5} for ts in (1, 61)]
    assert [at.signal(row) for row in signals] == [None, Mark("b", 5.0, "sell", "trend: −0.50")]


@pytest.mark.parametrize(
    "following",
    [
        "",
        "https://elsewhere/console/",
        "//elsewhere/console/",
        "/console",
        "/console/../x",
        "/console/\\x",
        "/api",
        "/console/\r\nx",
    ],
)
def test_after_logging_in_one_stays_inside(following: str) -> None:
    assert inside(following) == "/console/"


def test_a_preview_says_each_rule_and_what_is_under_way() -> None:
    rules: list[Json] = [{"rule": "max_order", "verdict": "refused", "observed": "9", "limit": "5", "unit": "quote"}]
    near: list[Json] = [{"rule": "<b>", "observed": "4", "soft": "3", "unit": "quote"}]
    said: dict[str, Json] = {"state": "REDUCING", "mark": "61500", "quote_age_s": "4.2", "limit_scale": "0.5"}
    shown = previewed(
        {**said, "would_send": False, "order_under_way": "ares1", "rules": rules, "warnings": near}, READER
    )
    assert "REDUCING" in shown
    assert "61500, 4 s old" in shown
    assert "50 %" in shown
    assert "saw 4 quote, it warns from 3" in shown
    assert "would not be sent" in shown
    assert "ares1" in shown
    assert "max order" in shown
    assert "&lt;b&gt;" in shown
