"""What the pages of research share: statements in somebody's name, series for charts, the text of views."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import cache
from typing import Final

from markupsafe import Markup

from api.console.formats import moment
from api.console.view import View
from ares.security.access.roles import Permission
from ares.store import Param, Record, Value
from ares.store.migrate import view_statements

_NAME: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,100}")


async def ask(view: View, permission: Permission, statement: str, **params: Param) -> Sequence[Record]:
    """Rows of a statement, for who may see them. Raises `AccessDenied`, `StoreError`."""
    await view.caller(permission)
    return await view.house.parts.database.fetch(statement, params)


def named(text: str) -> str:
    """A name of a strategy, model or view; empty for what can be none.

    >>> named("signal_momentum"), named("a' OR 1"), named("")
    ('signal_momentum', '', '')
    """
    return text if _NAME.fullmatch(text) else ""


def series(
    rows: Iterable[Record], by: Sequence[str], value: str, zone: tzinfo
) -> tuple[list[str], Mapping[str, list[float | None]]]:
    """Moments of rows in order, and of each thing that they are of (`by`) its values then; None: it has none."""
    moments: dict[int, int] = {}
    found: dict[str, dict[int, float]] = {}
    for row in sorted(rows, key=lambda row: int(str(row["ts"]))):
        ts = int(str(row["ts"]))
        moments.setdefault(ts, len(moments))
        values = found.setdefault(" ".join(str(row[name]) for name in by), {})
        figure = finite(row[value])
        if figure is not None:
            values[ts] = figure
    labels = [moment(ts, zone)[5:16] for ts in moments]
    return labels, {name: [values.get(ts) for ts in moments] for name, values in sorted(found.items())}


def finite(value: Value) -> float | None:
    """A figure that can be drawn; None for what is none, NaN included.

    >>> finite(0.5), finite(None), finite(float("nan")), finite(True)
    (0.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, float | int):
        return None
    return float(value) if value == value else None  # noqa: PLR0124 - NaN is not itself


@cache
def comments() -> Mapping[str, str]:
    """What each view that Ares brings is, in the words of its file."""
    return {each.name: each.comment for each in view_statements()}


def text_of_view(row: Record) -> Markup:
    """A view: what it is, where that is known, and its text as it is deployed."""
    words = comments().get(str(row["name"]), "")
    told = Markup("<p>{}</p>").format(words) if words else Markup("")
    return Markup('{}<pre tabindex="0" role="region" aria-label="Text of {}"><code>{}</code></pre>').format(
        told, row["name"], str(row["text"]).strip("\n")
    )
