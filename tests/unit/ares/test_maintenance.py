"""Goal: a window holds new risk off for as long as it was said to, and everybody can see who said so."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ares.commands.maintenance import app
from ares.control import ControlStore
from ares.service.maintenance import Maintenance
from ares.testing.clock import SteppedClock
from trader.execution.state import TradingStates
from trader.risk import TradingState


async def test_window_ends_by_itself_or_before_and_the_newest_counts(control: ControlStore) -> None:
    clock = SteppedClock()
    maintenance = Maintenance(control, clock)
    assert maintenance.current() is None
    assert not maintenance.close("ada", "nothing to close")
    maintenance.open("ada", "larger disk", 60)
    await clock.advance(59)
    window = maintenance.current()
    assert window is not None
    assert (window.who, window.why) == ("ada", "larger disk")
    maintenance.open("bob", "it takes longer", 60)
    await clock.advance(30)
    window = maintenance.current()
    assert window is not None
    assert window.who == "bob"
    assert maintenance.close("bob", "done")
    assert maintenance.current() is None
    maintenance.open("ada", "again", 1)
    await clock.advance(1)
    assert maintenance.current() is None
    said = [link.text for link in control.audit_links()]
    assert len(said) == 4
    assert "larger disk" in said[0]
    assert [entry.row.table for entry in control.outbox(0, 20)] == ["maintenance", "audit"] * 4


async def test_window_turns_active_into_reducing_and_nothing_else(control: ControlStore) -> None:
    clock = SteppedClock()
    states = TradingStates(control, "paper", clock)
    await states.change(TradingState.ACTIVE, "ada", "go", 1)
    Maintenance(control, clock).open("ada", "larger disk", 60)
    await states.refresh()
    assert (states.current.state, states.effective) == (TradingState.ACTIVE, TradingState.REDUCING)
    await states.change(TradingState.HALTED, "ada", "stop", 2)
    assert states.effective is TradingState.HALTED
    await states.change(TradingState.ACTIVE, "ada", "go", 3)
    await clock.advance(61)
    await states.refresh()
    assert states.effective is TradingState.ACTIVE


def test_commands_open_show_and_close_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path))
    run = CliRunner()
    assert "no maintenance window is open" in str(run.invoke(app, ["stop"]).exception)
    assert "open until" in run.invoke(app, ["start", "--for", "30m", "--why", "larger disk"]).stdout
    assert "larger disk" in run.invoke(app, ["status", "--json"]).stdout
    assert run.invoke(app, ["stop"]).stdout == "closed\n"
    assert "(no rows)" in run.invoke(app, ["status"]).stdout


@pytest.mark.parametrize("duration", ["", "30", "0m", "25h", "-5m", "soon"])
def test_duration_that_is_none_is_refused(duration: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path))
    ran = CliRunner().invoke(app, ["start", "--for", duration, "--why", "x"])
    assert "Say for example --for 30m" in str(ran.exception)
