"""Forms that ask for what takes long: a backtest, a run of a job, a decision about a model, a setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from nicegui import ui

from api.console.act import Action, button
from api.console.errands import ask
from api.console.formats import at
from api.console.live import section
from api.console.view import View
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.service.errands.registry import errand
from ares.service.registry import job_names

DAYS = 7
_FIELD = "outlined dense"
Given = Callable[[str], Mapping[str, object]]
"""Arguments of an errand, with the reason that was given."""


@dataclass(frozen=True, slots=True)
class _Button:
    """What it says, what is asked before (empty: nothing), whether a reason is, and whether it is grave."""

    label: str
    question: str = ""
    reason: bool = True
    grave: bool = False

    def asks(self, view: View, kind: str, given: Given) -> None:
        """Put it on the page: it asks for an errand."""

        async def work(caller: Caller, reason: str) -> str:
            return await ask(view, caller, kind, given(reason))

        permission = errand(kind).permission
        button(view, Action(self.label, permission, work, self.question, self.reason, self.grave))


def backtest(view: View, strategy: str) -> None:
    """Test a strategy over some days."""
    if not view.may(Permission.RUN_BACKTESTS):
        return
    today = at(view.house.parts.clock.now_ns(), view.zone).date()
    with section("Backtest it", "full"), ui.element("div").classes("row-of"):
        first = ui.input("From (UTC)", value=str(today - timedelta(days=DAYS))).props(f"{_FIELD} type=date stack-label")
        last = ui.input("To (UTC)", value=str(today)).props(f"{_FIELD} type=date stack-label")
        tier = (
            ui.select(["exact", "fast"], value="exact", label="Tier")
            .props(f"{_FIELD} options-dense")
            .classes("interval")
        )
        symbols = ui.input("Symbols (empty: all)").props(f"{_FIELD} maxlength=500")
        cash = ui.input("Cash, quote", value="20000").props(f"{_FIELD} inputmode=decimal maxlength=30")

        def given(_: str) -> Mapping[str, object]:
            named = [each.strip() for each in str(symbols.value or "").split(",") if each.strip()]
            return {
                "strategy": strategy,
                "from": str(first.value or ""),
                "to": str(last.value or ""),
                "tier": tier.value,
                "symbols": named,
                "cash": str(cash.value or "").strip(),
            }

        _Button("Run it").asks(view, "backtest", given)


def job(view: View, name: str = "") -> None:
    """Run a job now: the one that is named, or one that is chosen."""
    if not view.may(Permission.RUN_JOBS):
        return
    names = [name] if name else job_names()
    with section("Run a job now" if not name else f"Run {name} now", "full"), ui.element("div").classes("row-of"):
        chosen = ui.select(names, value=names[0], label="Job").props(f"{_FIELD} options-dense").classes("instrument")
        _Button("Run it", "Run this job now?", reason=False).asks(view, "job", lambda _: {"job": chosen.value})


def model(view: View, name: str, versions: Sequence[str]) -> None:
    """Promote a version, or go back to the champion before."""
    if not view.may(Permission.PROMOTE_MODELS) or not versions:
        return
    with section("Decide", "full"), ui.element("div").classes("row-of"):
        version = ui.select(list(versions), value=versions[0], label="Version").props(f"{_FIELD} options-dense")
        stage = ui.select(["champion", "challenger", "candidate"], value="champion", label="Stage")
        version.classes("instrument")
        stage.props(f"{_FIELD} options-dense").classes("choice")
        _Button("Promote", "Promote this version, if it passes the gate?").asks(
            view,
            "model-promote",
            lambda reason: {"model": name, "version": version.value, "stage": stage.value, "reason": reason},
        )
        _Button("Roll back", "Back to the champion before?", grave=True).asks(
            view, "model-rollback", lambda reason: {"model": name, "reason": reason}
        )


def setting(view: View) -> None:
    """Change a setting, or go back to those of a version."""
    if not view.may(Permission.CHANGE_CONFIG):
        return
    with section("Change a setting", "full"), ui.element("div").classes("row-of"):
        field = ui.input("Setting").props(f"{_FIELD} maxlength=200 placeholder=trading.risk.price_collar")
        value = ui.input("Value, as in TOML").props(f"{_FIELD} maxlength=2000")
        _Button("Set it", "Change this setting?", grave=True).asks(
            view,
            "config-set",
            lambda reason: {
                "field": str(field.value or "").strip(),
                "value": str(value.value or "").strip(),
                "reason": reason,
            },
        )
