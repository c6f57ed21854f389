"""Settings: what is set now, and how it came to be so."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from api.console import launch
from api.console.changes import leaves, listed, tree_of, written
from api.console.errands import add_errands
from api.console.filters import older
from api.console.formats import moment
from api.console.live import Panels
from api.console.tables import badge, nothing
from api.console.view import View
from api.formats import Page
from ares.config.overrides import shown_tree
from ares.config.settings import AresConfig
from ares.store import Record

VERSIONS = 25


async def build(view: View) -> None:
    """Settings as they were last taken up, section by section, then their history."""
    panels = Panels(view)
    launch.setting(view)
    add_errands(view, panels, "Changes that were asked for", "config-set", "config-rollback")
    panels.add("Now", lambda: _now(view), every_s=30, size="full")
    panels.add("History", lambda: _history(view), every_s=30, size="full")
    await panels.settle()


async def _now(view: View) -> Markup:
    rows = await view.rows("config", 1, status="changed")
    if not rows:
        return nothing("Nothing has been started here with settings yet.")
    return settings(tree_of(rows[0]["settings"]), _defaults())


def _defaults() -> Mapping[str, str]:
    return dict(leaves(shown_tree(AresConfig.model_construct())))


def settings(tree: Mapping[str, object], defaults: Mapping[str, str]) -> Markup:
    """All settings by section; what is not as it comes is marked, and counted beside the section's name."""
    parts = Markup("").join(_section(name, tree[name], defaults) for name in sorted(tree))
    return Markup('<div class="settings">{}</div>').format(parts)


def _section(name: str, values: object, defaults: Mapping[str, str]) -> Markup:
    found = list(leaves({name: values}))
    set_here = {field for field, value in found if defaults.get(field, value) != value}
    lines = Markup("").join(
        Markup('<tr><th scope="row"><code>{}</code></th><td class="words">{}</td><td>{}</td></tr>').format(
            field, value, badge("set here") if field in set_here else ""
        )
        for field, value in found
    )
    count = Markup(' <span class="hint">{} set here</span>').format(len(set_here)) if set_here else Markup("")
    return Markup(
        "<details><summary>{}{}</summary>"
        '<div class="scrolls" tabindex="0" role="region" aria-label="{}"><table><tbody>{}</tbody></table></div>'
        "</details>"
    ).format(name, count, f"Settings of {name}", lines)


async def _history(view: View) -> Markup:
    return history(await view.page("config", VERSIONS, cursor=view.query.get("cursor", "")), view)


def history(found: Page, view: View) -> Markup:
    """Versions, newest first; refused ones say why."""
    if not found.rows:
        return nothing("No settings were taken up yet.")
    entries = Markup("").join(_version(row, view) for row in found.rows)
    return Markup('<ol class="entries">{}</ol>{}').format(entries, older("config", {}, found.following))


def _version(row: Record, view: View) -> Markup:
    reader = view.reader
    when = Markup('<time class="moment">{}</time>').format(moment(row["ts"], reader.zone, now_ns=reader.now_ns))
    error = Markup('<p class="failed">{}</p>').format(row["error"]) if row["error"] else Markup("")
    why = Markup('<span class="why">{}</span>').format(row["why"]) if row["why"] else Markup("")
    return Markup('<li>{} <strong>{}</strong> {} {} {} <span class="hint">{}</span>{}{}</li>').format(
        when, row["version"], badge(str(row["status"])), row["cause"], why, row["instance"],
        written(listed(row["changes"])), error,
    )  # fmt: skip
