"""Goal: what a feature says of itself is read whole, or refused with what is wanted; nothing is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.catalog import Definition, definitions
from analytics.features.header import LABELS, Check, parse_header, require_inputs
from ares.errors import UsageError
from ares.store.migrate import table_statements, view_statements

GOOD = """-- calm_v1: how calm it is: 1 = nothing moves. Of the last
-- two bars only.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked,
-- gaps (their ends).
-- Unit: 0 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 2 bars, this one included. NULL across a gap.
-- Owner: research.
-- Checks: between 0 and 1e0 (fail); null share <= 0.2 (warn); distinct >= 2 (warn).
CREATE OR REPLACE VIEW calm_v1 AS (SELECT ts, venue, symbol, 1.0 AS value FROM bars_1m_checked JOIN gaps ON ts)"""
KNOWN = {each.name for each in (*table_statements(), *view_statements())}


def test_every_part_is_read_across_lines() -> None:
    header = parse_header("calm_v1.sql", GOOD)
    assert (header.view, header.sentence) == ("calm_v1", "how calm it is: 1 = nothing moves.")
    assert header.prose == "Of the last two bars only."
    assert header.inputs == ("bars_1m_checked", "gaps")
    assert (header.unit, header.warm_up_bars, header.owner) == ("0 to 1", 2, "research")
    assert header.checks == (
        Check("between", 0.0, 1.0, "fail"),
        Check("null_share", 0.0, 0.2, "warn"),
        Check("distinct", 2.0, float("inf"), "warn"),
    )


@pytest.mark.parametrize("label", LABELS)
def test_a_missing_label_is_named_with_the_line_that_is_wanted(label: str) -> None:
    without = GOOD.replace(f"-- {label}:", "-- ")
    with pytest.raises(UsageError, match=rf"calm_v1\.sql = .*'-- {label}: "):
        parse_header("calm_v1.sql", without)


@pytest.mark.parametrize(
    ("said", "instead", "wanted"),
    [
        ("calm_v1: how", "calm: how", "NAME_vN"),
        ("venue, symbol, minute", "symbol, minute", "Entity: venue, symbol, minute"),
        ("2 bars", "some bars", "N bars"),
        ("2 bars", "20000 bars", "10000"),
        ("(fail)", "(fatal)", "between LOW and HIGH"),
        ("0 and 1e0", "1 and 0", "between LOW and HIGH"),
        ("<= 0.2", "<= 2", "null share"),
        ("gaps (their ends)", "gaps; their ends", "names of tables"),
        ("-- Owner: research.", "-- Owner: research.\n-- Owner: trading.", "once"),
    ],
)
def test_what_cannot_be_read_is_refused(said: str, instead: str, wanted: str) -> None:
    assert said in GOOD
    with pytest.raises(UsageError, match=wanted.replace("(", r"\(")):
        parse_header("calm_v1.sql", GOOD.replace(said, instead))


def test_no_header_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="Entity"):
        parse_header("x.sql", "CREATE OR REPLACE VIEW calm_v1 AS (SELECT 1)")


def test_inputs_must_be_what_the_statement_reads() -> None:
    header = parse_header("calm_v1.sql", GOOD)
    require_inputs("calm_v1.sql", header, GOOD, KNOWN)
    with pytest.raises(UsageError, match=r"Inputs: bars_1m_checked, gaps, quotes\."):
        require_inputs("calm_v1.sql", header, GOOD + " JOIN quotes", KNOWN)


@pytest.mark.parametrize("d", [*definitions("feature"), *definitions("signal")], ids=lambda d: d.view)
def test_every_definition_has_a_header_that_holds(d: Definition) -> None:
    header = d.header()
    assert header.view == d.view
    if d.kind == "feature":
        assert header.warm_up_bars in {d.warm_up_bars, d.warm_up_bars + 1}
    assert header.warm_up_bars >= d.warm_up_bars, "a signal rests on its features' bars too"
    require_inputs(d.source, header, d.sql, KNOWN)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_with_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_header("x.sql", text)
