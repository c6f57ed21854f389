"""The frame of every board: variables, links to the others, annotations, and panels in lines of equal heights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationTarget,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from ares_boards import look
from ares_boards.panels import Panel
from ares_boards.sources import QUESTDB, PostgresQuery, sql

SCHEMA_VERSION = 37
"""Of the JSON: what Grafana 9.3 writes. Newer ones read it and bring it up to date by themselves."""
GRID_WIDTH, PANEL_WIDTH_MIN = 24, 6
REFRESH = "30s"


@dataclass(frozen=True)
class Line:
    """Panels beside each other, equally wide; on a phone Grafana puts them below each other in this order."""

    height: int
    panels: Sequence[Panel]

    @property
    def width(self) -> int:
        """Of each panel, in the grid's 24ths."""
        width = GRID_WIDTH // len(self.panels)
        assert width * len(self.panels) == GRID_WIDTH, "a line has 1, 2, 3 or 4 panels"
        assert width >= PANEL_WIDTH_MIN, "nobody can read a panel that is narrower"
        return width


def headline(*panels: Panel) -> Line:
    """Figures that answer the board's question at a glance."""
    return Line(4, panels)


def line(*panels: Panel) -> Line:
    """Charts, tables and all the rest."""
    return Line(9, panels)


@dataclass(frozen=True)
class Board:
    """One dashboard. `uid` is its address and the name of its file."""

    uid: str
    title: str
    question: str
    lines: Sequence[Line]
    variables: Sequence[str] = ()
    annotations: Sequence[str] = ()
    since: str = "now-6h"
    more: Sequence[Builder[VariableModel]] = field(default_factory=tuple)

    def json(self) -> str:
        """The file that Grafana reads."""
        return json.dumps(self.built(), cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def built(self) -> Dashboard:
        """The board in the SDK's words."""
        board = build.Dashboard(self.title).uid(self.uid).description(self.question).tags(["ares"])
        board.time(self.since, "now").refresh(REFRESH).timezone("utc").readonly().tooltip(DashboardCursorSync.CROSSHAIR)
        board.link(_to_the_others())
        for variable in (*(VARIABLES[name] for name in self.variables), *self.more):
            board.with_variable(variable)
        for name in self.annotations:
            board.annotation(_marks(name))
        number = 0
        for each in self.lines:
            for panel in each.panels:
                number += 1
                board.with_panel(panel.id(number).span(each.width).height(each.height))
        made = board.build()
        made.schema_version = SCHEMA_VERSION
        _name(made)
        return made


def _name(made: Dashboard) -> None:
    """Grafana 9 keeps variables by their ids, and the SDK gives all of them the same one."""
    for variable in made.templating.list_val or ():
        assert isinstance(variable, VariableModel), "built"
        variable.id_val = variable.name


def chosen(name: str, label: str, query: str, *, several: bool = True) -> build.QueryVariable:
    """A variable whose values QuestDB tells; looked up again when the page is loaded."""
    variable = build.QueryVariable(name).label(label).datasource(QUESTDB).query(sql(query))
    variable.refresh(VariableRefresh.ON_DASHBOARD_LOAD).sort(VariableSort.ALPHABETICAL_ASC).multi(several)
    if several:
        everything = VariableOption(selected=True, text=["All"], value=["$__all"])
        variable.include_all(True).current(everything)
    return variable


VARIABLES = {
    "account": chosen("account", "Account", "variables/account", several=False),
    "venue": chosen("venue", "Venue", "variables/venue"),
    "symbol": chosen("symbol", "Symbol", "variables/symbol"),
    "strategy": chosen("strategy", "Strategy", "variables/strategy"),
    "model": chosen("model", "Model", "variables/model"),
    "chart": chosen("chart", "On the chart", "variables/symbol", several=False),
}
MARKS = {
    "fills": ("Fills", look.CALM),
    "changes": ("Deploys and settings", "purple"),
    "halts": ("Trading state", look.BAD),
    "promotions": ("Models", look.WATCH),
}
"""What is marked on time axes, and in which colour."""
EVERYWHERE = ("changes", "halts")
"""The marks that explain something on every board with an account."""


def _to_the_others() -> build.DashboardLink:
    link = build.DashboardLink("Boards").type(DashboardLinkType.DASHBOARDS).tags(["ares"]).as_dropdown(True)
    return link.include_vars(True).keep_time(True).icon("external link")


class _QueriedMarks(AnnotationTarget):
    """An annotation that a query tells: the SDK knows only those that Grafana stores itself."""

    def __init__(self, query: PostgresQuery) -> None:
        super().__init__()
        self._query = query

    def to_json(self) -> dict[str, object]:
        return self._query.to_json()


class _Target(Builder[AnnotationTarget]):
    def __init__(self, query: PostgresQuery) -> None:
        self._query = query

    def build(self) -> AnnotationTarget:
        return _QueriedMarks(self._query)


def _marks(name: str) -> build.AnnotationQuery:
    title, color = MARKS[name]
    query = PostgresQuery(sql(f"annotations/{name}"), table=True, ref_id="Anno")
    marks = build.AnnotationQuery().name(title).datasource(QUESTDB).icon_color(color).enable(True)
    return marks.target(_Target(query))
