"""Statements of features and signals over bars that were worked out once, for all that read the last minutes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from analytics.catalog import Catalog, Definition
from analytics.recent import WARM_UP_BARS

CHECKED_BARS = "bars_1m_checked"

_VIEW = re.compile(r"\bAS \(\s*DECLARE [^\n]*\n(?P<select>.*)\)\s*$", re.DOTALL)
_READ = re.compile(r"\b(?P<clause>FROM|JOIN)\s+(?P<name>\w+)", re.IGNORECASE)
_BARS = (
    "(SELECT ts, venue, symbol, status, origin, open, high, low, close, volume, cost, trades, buy_volume"
    " FROM bars_1m_recent WHERE ts >= dateadd('m', -@warm_up, @from) AND ts <= @to)"
)


@lru_cache(maxsize=8)
def sources_of(catalog: Catalog) -> Mapping[str, str]:
    """What a statement of the last minutes reads instead of each view; `@from` and `@to` are its own to declare.

    What an analyst deployed, and what reaches back further than the table does, is read as the view that it is.
    """
    every = (*catalog.features, *catalog.signals)
    ours = {each.view: each for each in every if not each.own and each.warm_up_bars <= WARM_UP_BARS}
    return {each.view: over_recent_bars(each.view, ours) for each in every}


def over_recent_bars(view: str, known: Mapping[str, Definition]) -> str:
    """The text of a view over `bars_1m_recent`, in parentheses, of known views that it reads, too; its name if none.

    The text stays its definition's: only what it reads is another, and `%` is doubled, as parameters want it.
    """
    definition = known.get(view)
    parts = None if definition is None else _VIEW.search(definition.text.rstrip("; \n"))
    if definition is None or parts is None:
        return view

    def read(found: re.Match[str]) -> str:
        name = found["name"]
        return f"{found['clause']} {_BARS if name == CHECKED_BARS else over_recent_bars(name, known)}"

    select = _READ.sub(read, parts["select"].replace("%", "%%"))
    return f"({select.replace('@warm_up', str(definition.warm_up_bars)).strip()})"
