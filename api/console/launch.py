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
Typed = Callable[[], Mapping[str, str | Sequence[str]]]
"""Arguments of an errand as they stand in a form, without the reason."""


@dataclass(frozen=True, slots=True)
class _Button:
    """What it says, what is asked before (with {arguments}; empty: nothing), whether a reason is, if it is grave."""

    label: str
    question: str = ""
    reason: bool = True
    grave: bool = False

    def asks(self, view: View, kind: str, typed: Typed) -> None:
        """Put it on the page: it asks for an errand with what is typed as it is pressed."""
        wish: dict[str, object] = {}

        def question() -> str:
            wish.clear()
            wish.update(typed())
            return self.question.format_map(wish)

        async def work(caller: Caller, reason: str) -> str:
            why = {"reason": reason} if self.question and self.reason else {}
            return await ask(view, caller, kind, {**wish, **why})

        permission = errand(kind).permission
        button(view, Action(self.label, permission, work, question, self.reason, self.grave))


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

        def typed() -> Mapping[str, str | Sequence[str]]:
            named = [each.strip() for each in str(symbols.value or "").split(",") if each.strip()]
            return {
                "strategy": strategy,
                "from": str(first.value or ""),
                "to": str(last.value or ""),
                "tier": str(tier.value),
                "symbols": named,
                "cash": str(cash.value or "").strip(),
            }

        _Button("Run it").asks(view, "backtest", typed)


def job(view: View, name: str = "") -> None:
    """Run a job now: the one that is named, or one that is chosen."""
    if not view.may(Permission.RUN_JOBS):
        return
    names = [name] if name else job_names()
    with section("Run a job now" if not name else f"Run {name} now", "full"), ui.element("div").classes("row-of"):
        chosen = ui.select(names, value=names[0], label="Job").props(f"{_FIELD} options-dense").classes("instrument")
        _Button("Run it", "Run {job} now?", reason=False).asks(view, "job", lambda: {"job": str(chosen.value)})


def model(view: View, name: str, versions: Sequence[str]) -> None:
    """Promote a version, or go back to the champion before."""
    if not view.may(Permission.PROMOTE_MODELS) or not versions:
        return
    with section("Decide", "full"), ui.element("div").classes("row-of"):
        version = ui.select(list(versions), value=versions[0], label="Version").props(f"{_FIELD} options-dense")
        stage = ui.select(["champion", "challenger", "candidate"], value="champion", label="Stage")
        version.classes("instrument")
        stage.props(f"{_FIELD} options-dense").classes("choice")
        _Button("Promote", "Make {version} of {model} the {stage}, if it passes the gate?").asks(
            view, "model-promote", lambda: {"model": name, "version": str(version.value), "stage": str(stage.value)}
        )
        _Button("Roll back", "Let {model} go back to the champion before?", grave=True).asks(
            view, "model-rollback", lambda: {"model": name}
        )


def setting(view: View) -> None:
    """Change a setting, or go back to those of a version."""
    if not view.may(Permission.CHANGE_CONFIG):
        return
    with section("Change a setting", "full"), ui.element("div").classes("row-of"):
        field = ui.input("Setting").props(f"{_FIELD} maxlength=200 placeholder=trading.risk.price_collar")
        value = ui.input("Value, as in TOML").props(f"{_FIELD} maxlength=2000")
        _Button("Set it", "Set {field} to {value}?", grave=True).asks(
            view,
            "config-set",
            lambda: {"field": str(field.value or "").strip(), "value": str(value.value or "").strip()},
        )
