"""What takes long, on pages: asked for, followed while it is carried out, cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

from markupsafe import Markup
from pydantic import ValidationError

from api.console.act import Action, perform
from api.console.changes import tree_of
from api.console.deeds import deed, listen
from api.console.formats import MONEY_PLACES, share
from api.console.live import Panel, Panels
from api.console.tables import Col, Form, link, table
from api.console.view import ROOT, View
from api.errands import cancelled, kept, require_fit
from ares.control.errands import ENDED
from ares.errors import UsageError
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.service.errands.registry import errand
from ares.store import Record

ASKED: Final = (
    Col("asked_at", "Asked", Form.TIME),
    Col("kind", "What", Form.WORD),
    Col("about", "About"),
    Col("asked_by", "By"),
    Col("state", "State", Form.STATE),
    Col("far", "How far", Form.HTML),
    Col("came", "What came of it", Form.HTML),
    Col("deed", "", Form.HTML),
)
NEWEST = 12
_CANCEL = "cancel"
_WORDS_MAX = 160


async def ask(view: View, caller: Caller, kind: str, given: Mapping[str, object]) -> str:
    """Ask for an errand; says that it was. Raises `UsageError` naming the field, `AccessDenied`, `OperatingError`."""
    spec = errand(kind)
    try:
        arguments = spec.arguments.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(step) for step in first["loc"])
        raise UsageError(f"{field} = {first['input']!r}: {first['msg']}" if field else str(first["msg"])) from None
    parts = view.house.parts
    await asyncio.to_thread(require_fit, parts, caller, arguments)
    made = await asyncio.to_thread(kept, parts, caller, spec, arguments)
    return f"{spec.name} was asked for. It is followed below ({made.id})."


def add_errands(view: View, panels: Panels, title: str, *kinds: str, about: str = "") -> Panel | None:
    """The panel of what was asked for of these kinds; `about`: only what concerns that. None for who may not see."""
    if not view.may(Permission.READ_OPERATIONS):
        return None
    panel = panels.add(title, partial(_written, view, kinds, about), follows=("errands",), every_s=10, size="full")

    async def take(word: str, of: str) -> None:
        if word == _CANCEL:
            await _cancel(view, of, panel)

    listen(panel.html, take)
    return panel


async def _written(view: View, kinds: tuple[str, ...], about: str) -> Markup:
    found: list[Record] = []
    for kind in kinds:
        found += await view.rows("errands", 100, kind=kind)
    rows = [told(row) for row in found]
    chosen = [row for row in rows if about in ("", row["about"])]
    newest = sorted(chosen, key=lambda row: int(str(row["asked_at"])), reverse=True)[:NEWEST]
    return table("Errands", ASKED, newest, view.reader, empty="Nothing was asked for in the last month.")


def told(row: Record) -> Record:
    """An errand as a table shows it."""
    arguments, outcome = tree_of(row["arguments"]), tree_of(row["outcome"])
    about = next((str(arguments[name]) for name in ("strategy", "job", "model", "field") if name in arguments), "")
    ended = row["state"] in ENDED
    cancel = Markup("") if ended else deed(_CANCEL, str(row["errand_id"]), "Cancel", f"{row['kind']} {about}")
    return {**row, "about": about, "far": _far(row), "came": _came(row, outcome), "deed": cancel}


def _far(row: Record) -> Markup:
    done = row["share"]
    bar = Markup("")
    if isinstance(done, float) and row["state"] not in ENDED:
        bar = Markup('<progress value="{}" max="1" aria-label="done"></progress> {} ').format(done, share(done, 0))
    return Markup("{}{}").format(bar, row["progress"] or "")


def _came(row: Record, outcome: Mapping[str, object]) -> Markup:
    if row["error"]:
        return Markup('<span class="down">{}</span>').format(str(row["error"])[:_WORDS_MAX])
    if row["kind"] == "backtest" and outcome.get("run_id"):
        earned = outcome.get("return_share")
        words = f"return {share(earned, MONEY_PLACES, sign=True)}" if isinstance(earned, float | int) else "its figures"
        return Markup("{}, {}").format(words, link(f"{ROOT}/reports/{outcome['run_id']}", "report"))
    return Markup("{}").format(str(row["outcome"] or "")[:_WORDS_MAX])


async def _cancel(view: View, errand_id: str, panel: Panel) -> None:
    async def work(caller: Caller, _: str) -> str:
        now = await asyncio.to_thread(cancelled, view.house.parts, caller, errand_id)
        return f"{now.wish.kind} is {now.state}."

    question = "Cancel it? What it has done so far stays."
    await perform(view, Action("Cancel it", None, work, question, reason=False), panel.wanted.set)
