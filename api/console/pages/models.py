"""Models: which versions stand where, how they were trained, and whether what they see has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup

from api.console.live import Panels
from api.console.tables import Col, Form, table
from api.console.view import View
from ares.store import Record

STEPS_MAX: Final = 5_000
CHAMPION: Final = frozenset({"champion", "rolled_back"})
"""The newest of these steps says which version is in use."""
_WORST: Final[Mapping[str, int]] = {"fail": 0, "warn": 1, "unknown": 2, "ok": 3}
STANDS: Final = (
    Col("model", "Model", link="models/{model}"),
    Col("champion", "Champion"),
    Col("since", "Since", Form.TIME),
    Col("who", "By"),
    Col("reason", "Why"),
    Col("challenger", "Challenger"),
    Col("versions", "Versions", Form.WHOLE),
)
TRAINED: Final = (
    Col("ts", "Trained", Form.TIME),
    Col("model", "Model", link="models/{model}"),
    Col("version", "Version"),
    Col("status", "Status", Form.STATE),
    Col("family", "Family"),
    Col("auc", "AUC", Form.RATIO),
    Col("log_loss", "Log loss", Form.RATIO),
    Col("brier", "Brier", Form.RATIO),
    Col("ece", "ECE", Form.RATIO),
    Col("base_rate", "Base rate", Form.RATIO),
    Col("net_share", "Net", Form.SHARE),
    Col("trades", "Trades", Form.WHOLE),
    Col("canary_auc", "Canary AUC", Form.RATIO),
    Col("sharpe_deflated", "Sharpe deflated", Form.RATIO),
    Col("overfit_share", "Overfit", Form.SHARE),
    Col("rows_test", "Rows out of sample", Form.WHOLE),
    Col("dataset", "Dataset", link="data/lineage?name={dataset}"),
    Col("reason", "Says"),
)
DRIFT: Final = (
    Col("grade", "Grade", Form.STATE),
    Col("model", "Model", link="models/{model}"),
    Col("version", "Version"),
    Col("role", "Role"),
    Col("feature", "Feature"),
    Col("metric", "Metric", Form.WORD),
    Col("value", "Value", Form.FIGURE),
    Col("warn", "Warns above", Form.FIGURE),
    Col("fail", "Fails above", Form.FIGURE),
    Col("rows", "Rows", Form.WHOLE),
    Col("ts", "Looked", Form.TIME),
)


@dataclass(slots=True)
class Standing:
    """Where the versions of a model stand: the step that made the champion, the challenger, the stage of each."""

    champion: Record | None = None
    challenger: Record | None = None
    stages: dict[str, Record] = field(default_factory=dict)


async def build(view: View) -> None:
    """All of them."""
    panels = Panels(view)
    panels.add("Versions in use", lambda: _stands(view), size="full")
    panels.add("Newest trainings, out of sample", lambda: _trained(view), size="full")
    panels.add("Drift that is not ok", lambda: _drift(view), every_s=60, size="full")
    await panels.settle()


async def _stands(view: View) -> Markup:
    rows = [_row(model, found) for model, found in standings(await view.rows("models", STEPS_MAX)).items()]
    return table("Models", STANDS, rows, view.reader, empty="No model was trained yet. The job train does it.")


def _row(model: str, found: Standing) -> Record:
    champion = found.champion or {}
    return {
        "model": model,
        "champion": champion.get("version"),
        "since": champion.get("ts"),
        "who": champion.get("who"),
        "reason": champion.get("reason"),
        "challenger": (found.challenger or {}).get("version"),
        "versions": len(found.stages),
    }


def standings(steps: Sequence[Record]) -> Mapping[str, Standing]:
    """Where versions stand, by their steps, the newest first."""
    found: dict[str, Standing] = {}
    for step in steps:
        of = found.setdefault(str(step["model"]), Standing())
        version, event = str(step["version"]), step["event"]
        if event in CHAMPION and of.champion is None:
            of.champion = step
        known = of.stages.get(version)
        if event == "challenger" and of.challenger is None and (known is None or known["event"] == "registered"):
            of.challenger = step
        if known is None or known["event"] == "registered":
            of.stages[version] = step
    return dict(sorted(found.items()))


async def _trained(view: View) -> Markup:
    rows = await view.rows("training-runs", 25)
    return table("Trainings", TRAINED, rows, view.reader, empty="No model was trained yet. The job train does it.")


async def _drift(view: View) -> Markup:
    rows = [row for row in worst_first(await view.rows("drift", 5_000)) if row["grade"] != "ok"]
    return table(
        "Drift", DRIFT, rows[:100], view.reader, empty="Nothing moved, or no look was taken in the last month."
    )


def worst_first(rows: Sequence[Record]) -> list[Record]:
    """Of each model and venue the newest look, what is worst first: by grade, then by how near it is to failing."""
    newest: dict[tuple[str, str], int] = {}
    for row in rows:
        key, ts = (str(row["model"]), str(row["venue"])), int(str(row["ts"]))
        newest[key] = max(ts, newest.get(key, ts))
    now = [row for row in rows if row["ts"] == newest[str(row["model"]), str(row["venue"])]]
    return sorted(now, key=lambda row: (_WORST.get(str(row["grade"]), 2), -_share_of_limit(row)))


def _share_of_limit(row: Record) -> float:
    value, fail = row["value"], row["fail"]
    if not isinstance(value, float | int) or not isinstance(fail, float | int) or not fail:
        return 0.0
    return float(value) / float(fail)
