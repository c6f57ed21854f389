"""One model: who promoted which version and why, how each did out of sample, what they say today, how they moved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup
from nicegui import ui

from api.console import launch
from api.console.charts import Ink, lines
from api.console.drawn import Chart
from api.console.errands import add_errands
from api.console.formats import moment
from api.console.live import Panels, section
from api.console.pages.models import DRIFT, STEPS_MAX, TRAINED, Standing, standings, worst_first
from api.console.research import ask, named, series
from api.console.tables import Col, Form, badge, facts, link, nothing, table
from api.console.view import ROOT, View
from ares.errors import StoreError
from ares.security.access.roles import Permission
from ares.store import Record, load_queries

QUERIES: Final = load_queries("api", "queries/console_models.sql")
STEPS: Final = (
    Col("ts", "When", Form.TIME),
    Col("version", "Version"),
    Col("event", "Step", Form.STATE),
    Col("who", "Who"),
    Col("reason", "Why"),
)
SAID: Final = (
    Col("ts", "Bar", Form.TIME),
    Col("symbol", "Symbol"),
    Col("version", "Version"),
    Col("role", "Role"),
    Col("score", "Score", Form.RATIO),
    Col("served", "Served", Form.FLAG),
    Col("known_at", "Known", Form.TIME),
)
BESIDE: Final = (
    Col("champion", "Champion"),
    Col("challenger", "Challenger"),
    Col("symbol", "Symbol"),
    Col("bars", "Bars", Form.WHOLE),
    Col("champion_score", "Champion says", Form.RATIO),
    Col("challenger_score", "Challenger says", Form.RATIO),
    Col("apart", "Apart", Form.RATIO),
    Col("agreed_share", "Same side", Form.SHARE),
)
JUDGED: Final = (
    Col("ts", "When", Form.TIME),
    Col("status", "Status", Form.STATE),
    Col("outcome", "Outcome", Form.CODE),
)


async def build(view: View) -> None:
    """The model of the path."""
    name = named(view.query["model"])
    if not name:
        with section("No such model", "full"):
            ui.html(nothing("Its name can hold letters, digits and _ . : @ -"), sanitize=False)
        return
    panels = Panels(view)
    panels.add(name, lambda: _now(view, name))
    panels.add("Newest scores", lambda: _said(view, name), every_s=20)
    chart = Chart("Score, last day", lambda: _scores(view, name), "full", empty="It scored nothing in the last day.")
    chart.join(panels)
    panels.add("Who promoted what, when and why", lambda: _steps(view, name), size="full")
    if name == view.house.parts.config().training.model:
        launch.model(view, name, await _versions(view, name))
        add_errands(view, panels, "Decisions that were asked for", "model-promote", "model-rollback", about=name)
    panels.add("Trainings, out of sample", lambda: _trained(view, name), every_s=60, size="full")
    panels.add("Drift, worst first", lambda: _drift(view, name), every_s=60, size="full")
    panels.add("Challenger beside champion", lambda: _beside(view, name), every_s=60, size="full")
    await panels.settle()


async def _versions(view: View, name: str) -> list[str]:
    """Those that there are to decide about, the newest first; without a database none."""
    try:
        rows = await view.rows("training-runs", 50, model=name)
    except StoreError:
        return []
    return list(dict.fromkeys(str(row["version"]) for row in rows if row["version"]))


async def _now(view: View, name: str) -> Markup:
    found = standings(await view.rows("models", STEPS_MAX, model=name)).get(name)
    if found is None:
        return nothing("No version of it was ever trained.")
    return facts(stands(found, view))


def stands(found: Standing, view: View) -> list[tuple[str, str | Markup]]:
    """Which version is in use since when, and which is compared with it."""
    shown: list[tuple[str, str | Markup]] = []
    for role, step in (("Champion", found.champion), ("Challenger", found.challenger)):
        if step is None:
            shown.append((role, "none"))
            continue
        node = f"{step['model']}@{step['version']}"
        made = link(f"{ROOT}/data/lineage?name={node}", "made from")
        shown.append((role, Markup("{} {}").format(step["version"], made)))
        since = moment(step["ts"], view.zone, now_ns=view.house.parts.clock.now_ns())
        shown.append((f"{role} since", Markup("{}, by {}").format(since, step["who"])))
    tally = sorted({str(step["event"]) for step in found.stages.values()})
    for stage in tally:
        number = sum(step["event"] == stage for step in found.stages.values())
        shown.append(("Versions", Markup("{} {}").format(number, badge(stage))))
    return shown


async def _steps(view: View, name: str) -> Markup:
    rows = await view.rows("models", 50, model=name)
    return table("Steps", STEPS, rows, view.reader, empty="No version of it was ever trained.")


async def _trained(view: View, name: str) -> Markup:
    rows = await view.rows("training-runs", 25, model=name)
    columns = [column for column in TRAINED if column.name != "model"]
    return table("Trainings", columns, rows, view.reader, empty="It was never trained.")


async def _said(view: View, name: str) -> Markup:
    rows = await view.rows("predictions", 12, model=name)
    return table("Scores", SAID, rows, view.reader, empty="It scored nothing in the last day.")


async def _scores(view: View, name: str) -> dict[str, object]:
    rows = await ask(view, Permission.READ_RESEARCH, QUERIES["scores"], model=name)
    labels, values = series(rows, ("symbol", "role"), "score", view.zone)
    return lines(labels, values, Ink.of(dark=view.dark), unit="score") if labels else {}


async def _drift(view: View, name: str) -> Markup:
    rows = worst_first(await view.rows("drift", 5_000, model=name))
    columns = [column for column in DRIFT if column.name != "model"]
    return table("Drift", columns, rows[:200], view.reader, empty="No look was taken in the last month.")


async def _beside(view: View, name: str) -> Markup:
    rows = await ask(view, Permission.READ_RESEARCH, QUERIES["shadow"], model=name)
    compared = table("Both", BESIDE, rows, view.reader, empty="No challenger scored beside it in the last week.")
    return Markup("{}{}").format(compared, _verdicts(await _judged(view), view))


async def _judged(view: View) -> Sequence[Record]:
    if not view.may(Permission.READ_OPERATIONS):
        return ()
    return await view.rows("jobs", 10, job="compare-models", status="ok")


def _verdicts(rows: Sequence[Record], view: View) -> Markup:
    """What the job that compares them found, for who may see jobs."""
    if not rows:
        return Markup("")
    judged = table("Verdicts", JUDGED, rows, view.reader)
    return Markup("<h3>What the job compare-models found</h3>{}").format(judged)
