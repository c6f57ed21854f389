"""The kinds of panels that the boards are made of, each with the look of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    candlestick,
    common,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig as Thresholds
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as words
from grafana_foundation_sdk.models.candlestick import VizDisplayMode
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
)

from ares_boards import look
from ares_boards.sources import TRACES_UID, Prom, Rows, Series, Target

TRACE_LINKS = [
    {"title": "Its steps, on this page's board", "url": "/d/ares-flow?var-trace=${__value.raw}&${__url_time_range}"},
    {
        "title": "In the trace viewer",
        "url": f'/explore?left={{"datasource":"{TRACES_UID}","queries":[{{"refId":"A","query":"${{__value.raw}}"}}],'
        '"range":{"from":"now-7d","to":"now"}}',
        "targetBlank": True,
    },
]
"""From a trace_id to its way from the tick to the fill."""

UNITS: Mapping[str, str] = {
    **dict.fromkeys(("cost", "fee", "fees", "turnover", "funding", "realised", "held", "worst_case"), look.MONEY),
    **dict.fromkeys(("open_buys", "open_sells", "value_at_risk"), look.MONEY),
    **dict.fromkeys(("unrealised_quote", "realised_quote", "funding_quote", "pnl_quote"), look.MONEY),
    **dict.fromkeys(("price", "average_price", "mark"), look.PRICE),
    **dict.fromkeys(("age_s", "silent_s", "running_s", "duration_s", "unprotected_s"), look.SECONDS),
    **dict.fromkeys(("now_s", "allowed_s", "rpo_market_s", "rpo_journal_s", "rto_s"), look.SECONDS),
    **dict.fromkeys(("duration_ms", "mean_ms", "p95_ms"), look.MILLISECONDS),
    **dict.fromkeys(("bytes", "bytes_total", "bytes_added", "bytes_restored"), look.BYTES),
    **dict.fromkeys(("used", "bad_hour", "complete", "net_share", "overfit_share"), look.SHARE),
    **dict.fromkeys(("rows", "files", "spans", "missing", "partitions", "waiting"), look.NUMBER),
    "resident_mb": look.MIB,
    "shortfall_bips": look.BIPS,
}
"""A column has one unit on every board."""

COLORED = ("state", "status", "grade", "side")
EARNED = ("pnl_quote", "realised_quote", "unrealised_quote", "realised", "funding_quote")


Panel = (
    stat.Panel
    | timeseries.Panel
    | table.Panel
    | candlestick.Panel
    | bargauge.Panel
    | barchart.Panel
    | statetimeline.Panel
)
"""What a board can place."""


class _Common(Protocol):
    """What the SDK's builders of panels have in common."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: DataSourceRef) -> Self: ...
    def with_target(self, target: Builder[Dataquery]) -> Self: ...


P = TypeVar("P", bound=_Common)


def _filled(panel: P, title: str, about: str, targets: Sequence[Target]) -> P:
    panel.title(title).description(about).datasource(targets[0].source)
    for target in targets:
        panel.with_target(target)
    return panel


def figure(
    title: str, about: str, target: Target, *, unit: str = look.NUMBER, colors: Thresholds | None = None
) -> stat.Panel:
    """One number, or one a series, in large letters; over time also its recent course."""
    panel = _filled(stat.Panel(), title, about, [target]).unit(unit)
    panel.thresholds(colors or look.steps(base=look.CALM))
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(""))
    over_time = isinstance(target, Series) or (isinstance(target, Prom) and not target.now)
    panel.graph_mode(words.BigValueGraphMode.AREA if over_time else words.BigValueGraphMode.NONE)
    return panel.color_mode(words.BigValueColorMode.VALUE).no_value("–")


def word(title: str, about: str, target: Rows, column: str) -> stat.Panel:
    """One word of a row, on a ground of its colour."""
    panel = figure(title, about, target, unit="string")
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields(f"/^{column}$/"))
    return panel.mappings(look.words()).color_mode(words.BigValueColorMode.BACKGROUND)


def total(title: str, about: str, target: Rows, column: str, *, unit: str) -> stat.Panel:
    """The sum of a column."""
    panel = figure(title, about, target, unit=unit)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["sum"]).values(False).fields(f"/^{column}$/"))


def chart(title: str, about: str, *targets: Target, unit: str = look.NUMBER) -> timeseries.Panel:
    """Lines over time."""
    panel = _filled(timeseries.Panel(), title, about, targets).unit(unit)
    panel.line_width(1).fill_opacity(8).show_points(words.VisibilityMode.NEVER).span_nulls(300_000.0)
    legend = common.VizLegendOptions().display_mode(words.LegendDisplayMode.LIST)
    panel.legend(legend.placement(words.LegendPlacement.BOTTOM).show_legend(True))
    panel.tooltip(common.VizTooltipOptions().mode(words.TooltipDisplayMode.MULTI).sort(words.SortOrder.DESCENDING))
    for names, color in look.together(look.FIXED):
        panel.override_by_regexp(names, look.color(color))
    return panel


def stacked(title: str, about: str, *targets: Target, unit: str = look.NUMBER) -> timeseries.Panel:
    """Counts over time, as bars on top of each other."""
    panel = chart(title, about, *targets, unit=unit).draw_style(words.GraphDrawStyle.BARS).fill_opacity(80)
    return panel.stacking(common.StackingConfig().mode(words.StackingMode.NORMAL).group("A"))


def points(title: str, about: str, *targets: Target, unit: str = look.NUMBER) -> timeseries.Panel:
    """Single values over time that no line may join."""
    panel = chart(title, about, *targets, unit=unit).draw_style(words.GraphDrawStyle.POINTS)
    return panel.point_size(6).show_points(words.VisibilityMode.ALWAYS)


def limited(panel: timeseries.Panel, limit: str) -> timeseries.Panel:
    """A chart with the limit on the account that holds now as a red line: a column of risk/limits_now."""
    panel.with_target(Rows("risk/limits_now", "limits"))
    mappings = [{"fieldName": limit, "handlerKey": "threshold1"}]
    options = {"configRefId": "limits", "mappings": mappings}
    panel.with_transformation(DataTransformerConfig(id_val="configFromData", options=options))
    return panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(words.GraphTresholdsStyleMode.LINE))


def bounded(panel: timeseries.Panel, *above: tuple[float, str]) -> timeseries.Panel:
    """A chart with lines at values that were promised."""
    panel.thresholds(look.steps(*above))
    return panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(words.GraphTresholdsStyleMode.LINE))


def candles(title: str, about: str, target: Series) -> candlestick.Panel:
    """Candles with their volume; what else the rows have is drawn as points."""
    panel = _filled(candlestick.Panel(), title, about, [target]).unit(look.PRICE)
    panel.mode(VizDisplayMode.CANDLES_VOLUME).include_all_fields(True).interval("1m")
    colors = candlestick.CandlestickColors().up(look.GOOD).down(look.BAD).flat(look.PLAIN)
    panel.colors(colors)
    for name, color in (("bought", look.BUY), ("sold", look.SELL)):
        drawn = [
            DynamicConfigValue("custom.drawStyle", "points"),
            DynamicConfigValue("custom.pointSize", 9),
            DynamicConfigValue("custom.showPoints", "always"),
        ]
        panel.override_by_name(name, [*look.color(color), *drawn])
    legend = common.VizLegendOptions().display_mode(words.LegendDisplayMode.LIST)
    return panel.legend(legend.placement(words.LegendPlacement.BOTTOM).show_legend(True))


def bars(
    title: str, about: str, target: Target, *, unit: str, colors: Thresholds, most: float | None = None
) -> bargauge.Panel:
    """One bar a row: its name and how long it is."""
    panel = _filled(bargauge.Panel(), title, about, [target]).unit(unit).thresholds(colors).min(0.0)
    if most is not None:
        panel.max(most)
    values = not isinstance(target, Prom)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(values).fields(""))
    panel.orientation(words.VizOrientation.HORIZONTAL).display_mode(words.BarGaugeDisplayMode.BASIC)
    return panel.show_unfilled(True).no_value("–")


def columns(title: str, about: str, target: Rows, axis: str) -> barchart.Panel:
    """Columns over classes of a value."""
    panel = _filled(barchart.Panel(), title, about, [target]).axis_label(axis).fill_opacity(70).line_width(1)
    panel.show_value(words.VisibilityMode.NEVER).group_width(0.8).bar_width(0.95)
    legend = common.VizLegendOptions().display_mode(words.LegendDisplayMode.LIST)
    panel.legend(legend.placement(words.LegendPlacement.BOTTOM).show_legend(True))
    for name, color in (("champion", look.CALM), ("challenger", look.WATCH), ("rose", look.CALM)):
        panel.override_by_name(name, look.color(color))
    return panel


def lives(title: str, about: str, target: Rows) -> statetimeline.Panel:
    """Words over time, each a stretch in its colour."""
    panel = _filled(statetimeline.Panel(), title, about, [target]).mappings(look.words()).fill_opacity(80).line_width(0)
    panel.show_value(words.VisibilityMode.AUTO).merge_values(True).row_height(0.8)
    legend = common.VizLegendOptions().display_mode(words.LegendDisplayMode.LIST)
    return panel.legend(legend.placement(words.LegendPlacement.BOTTOM).show_legend(False))


def listing(title: str, about: str, target: Target) -> table.Panel:
    """Rows as they are, with coloured words, units by column, and links from trace ids."""
    panel = _filled(table.Panel(), title, about, [target]).show_header(True).mappings(look.words())
    for names, unit in look.together(UNITS):
        panel.override_by_regexp(names, [DynamicConfigValue("unit", unit)])
    shown = DynamicConfigValue("custom.displayMode", "color-text")
    panel.override_by_regexp(look.named(COLORED), [shown])
    profit = {"mode": "absolute", "steps": [{"value": None, "color": look.BAD}, {"value": 0, "color": look.GOOD}]}
    panel.override_by_regexp(look.named(EARNED), [DynamicConfigValue("thresholds", profit), shown])
    panel.override_by_name("trace_id", [DynamicConfigValue("links", TRACE_LINKS)])
    return panel
