"""Goal: what was asked for and takes long is shown as it stands: how far, what came of it, and a way to end it."""

from __future__ import annotations

import pytest

from api.console.errands import told
from ares.store import Record

ROW: Record = {
    "asked_at": 1_700_000_000_000_000_000,
    "kind": "backtest",
    "state": "running",
    "asked_by": "maria",
    "errand_id": "e1",
    "arguments": '{"strategy": "signal_momentum", "from": "2024-08-01"}',
    "progress": "playing",
    "share": 0.25,
    "outcome": None,
    "error": None,
}


def test_one_that_runs_says_how_far_it_is_and_can_be_cancelled() -> None:
    row = told(ROW)
    assert row["about"] == "signal_momentum"
    assert 'value="0.25"' in str(row["far"])
    assert "25 %" in str(row["far"])
    assert 'data-of="e1"' in str(row["deed"])


def test_a_backtest_that_is_done_leads_to_its_report() -> None:
    row = told({**ROW, "state": "done", "outcome": '{"run_id": "r-9", "return_share": -0.0123}'})
    assert 'href="/console/reports/r-9"' in str(row["came"])
    assert "−1.23 %" in str(row["came"])
    assert "<progress" not in str(row["far"])
    assert row["deed"] == ""


@pytest.mark.parametrize("state", ["failed", "lost", "cancelled"])
def test_one_that_ended_badly_says_why_as_text(state: str) -> None:
    row = told({**ROW, "state": state, "error": "<b>no signals</b>"})
    assert "&lt;b&gt;no signals" in str(row["came"])
    assert row["deed"] == ""


@pytest.mark.parametrize("text", ["", "not json", "[1]", '"x"'])
def test_words_that_are_no_tree_are_no_trouble(text: str) -> None:
    assert told({**ROW, "arguments": text, "outcome": text, "state": "done"})["about"] == ""
