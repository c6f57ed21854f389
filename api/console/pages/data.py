"""Data: how much of the market is known, what is missing and why, what checks found, how fresh each collector is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Final

from markupsafe import Markup
from nicegui import ui

from api.console.charts import Ink, heat
from api.console.drawn import Chart
from api.console.formats import moment
from api.console.live import Panels, section
from api.console.research import ask
from api.console.tables import Col, Form, badge, link, nothing, table
from api.console.view import ROOT, View
from ares.clock import NANOS_PER_SECOND
from ares.security.access.roles import Permission
from ares.store import Record, load_queries

QUERIES: Final = load_queries("api", "queries/console_data.sql")
SPANS: Final = {"hours": "24 hours, hour by hour", "days": "7 days, day by day (UTC)"}
_WORST: Final[Mapping[str, int]] = {"fail": 0, "warn": 1, "ok": 2}
SHARES: Final = (
    Col("venue", "Venue"),
    Col("symbol", "Symbol", link="market?venue={venue}&symbol={symbol}"),
    Col("minutes", "Minutes", Form.WHOLE),
    Col("traded", "Traded", Form.SHARE),
    Col("quiet", "Quiet", Form.SHARE),
    Col("gap", "Gap", Form.SHARE),
)
GAPS: Final = (
    Col("status", "State", Form.STATE),
    Col("venue", "Venue"),
    Col("symbol", "Symbol"),
    Col("channel", "Channel"),
    Col("started_at", "From", Form.TIME),
    Col("ended_at", "To", Form.TIME),
    Col("missing", "Missing", Form.WHOLE),
    Col("cause", "Cause", Form.WORD),
    Col("healed_by", "Healed by", Form.WORD),
    Col("revision", "Revision", Form.WHOLE),
)
CHECKS: Final = (
    Col("grade", "Grade", Form.STATE),
    Col("check_name", "Check", Form.WORD),
    Col("venue", "Venue"),
    Col("symbol", "Symbol"),
    Col("channel", "Channel"),
    Col("observed", "Observed", Form.FIGURE),
    Col("unit", "Unit"),
    Col("warn_limit", "Warns above", Form.FIGURE),
    Col("fail_limit", "Fails above", Form.FIGURE),
    Col("ts", "Looked", Form.TIME),
    Col("detail", "Says"),
)
FRESH: Final = (
    Col("venue", "Venue"),
    Col("symbol", "Symbol"),
    Col("channel", "Channel"),
    Col("watermark", "Certain up to", Form.TIME),
    Col("age_s", "Age", Form.SECONDS),
    Col("acked_rows", "Rows stored", Form.WHOLE),
)
COLLECT: Final = (
    Col("service", "Service"),
    Col("instance", "Instance"),
    Col("state", "State", Form.STATE),
    Col("ts", "Beat", Form.TIME),
    Col("detail", "Says"),
)
VERSIONS: Final = (
    Col("name", "Dataset"),
    Col("version", "Version", Form.WHOLE),
    Col("status", "Status", Form.STATE),
    Col("gap_verdict", "Gaps", Form.STATE),
    Col("quality_verdict", "Quality", Form.STATE),
    Col("span_from", "From", Form.TIME),
    Col("span_to", "To", Form.TIME),
    Col("rows", "Rows", Form.WHOLE),
    Col("made_by", "Made by"),
    Col("node", "Made from", link="data/lineage?name={node}"),
    Col("sha256", "SHA-256 of its rows", Form.CODE),
)


async def build(view: View) -> None:
    """All of it."""
    panels = Panels(view)
    span = view.query.get("span", "hours")
    span = span if span in SPANS else "hours"
    with section("Coverage", "full"):
        ui.html(_ways(span), sanitize=False)
    chart = Chart(
        f"Known share of minutes, {SPANS[span]}",
        lambda: _coverage(view, span),
        "half",
        empty="No bar was made in this time: collectors did not run.",
    )
    chart.join(panels, every_s=120)
    panels.add("Minutes: traded, quiet, gap", lambda: _shares(view, span), every_s=120)
    panels.add("Freshness", lambda: _fresh(view), every_s=5)
    if view.may(Permission.READ_OPERATIONS):
        panels.add("Collectors", lambda: _collectors(view), follows=("services",))
    panels.add("Gaps", lambda: _gaps(view), every_s=30, size="full")
    panels.add("Quality checks, worst first", lambda: _checks(view), every_s=60, size="full")
    if view.may(Permission.READ_RESEARCH):
        panels.add("Versions of datasets", lambda: _datasets(view), every_s=60, size="full")
    await panels.settle()


def _ways(span: str) -> Markup:
    other = next(name for name in SPANS if name != span)
    return Markup("<p>{}. {}. {}</p>").format(
        SPANS[span],
        link(f"{ROOT}/data?span={other}", f"Show {SPANS[other]}"),
        link(f"{ROOT}/data/lineage", "What was made from what"),
    )


async def _minutes(view: View, span: str) -> Sequence[Record]:
    return await ask(view, Permission.READ_MARKET, QUERIES[span])


async def _coverage(view: View, span: str) -> dict[str, object]:
    across, down, cells = grid(await _minutes(view, span), view.zone if span == "hours" else UTC, span)
    return heat(across, down, cells, Ink.of(dark=view.dark)) if cells else {}


def grid(rows: Sequence[Record], zone: tzinfo, span: str) -> tuple[list[str], list[str], list[tuple[int, int, float]]]:
    """Hours or days, symbols, and the share of minutes that are known of each."""
    moments = sorted({int(str(row["ts"])) for row in rows})
    things = sorted({f"{row['symbol']} {row['venue']}" for row in rows}, reverse=True)
    cells = [
        (
            moments.index(int(str(row["ts"]))),
            things.index(f"{row['symbol']} {row['venue']}"),
            round(int(str(row["known"])) / int(str(row["minutes"])), 4),
        )
        for row in rows
    ]
    labels = [moment(ts, zone) for ts in moments]
    return [label[:10] if span == "days" else label[11:16] for label in labels], things, cells


async def _shares(view: View, span: str) -> Markup:
    rows = shares(await _minutes(view, span))
    return table("Minutes", SHARES, rows, view.reader, empty="No bar was made in this time.")


def shares(rows: Sequence[Record]) -> list[Record]:
    """The minutes of each symbol over the whole time, by what is known of them; those with most gaps first."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        of = found.setdefault((str(row["venue"]), str(row["symbol"])), {"minutes": 0, "known": 0, "traded": 0})
        for name in of:
            of[name] += int(str(row[name]))
    told: list[Record] = [
        {
            "venue": venue,
            "symbol": symbol,
            "minutes": of["minutes"],
            "traded": of["traded"] / of["minutes"],
            "quiet": (of["known"] - of["traded"]) / of["minutes"],
            "gap": (of["minutes"] - of["known"]) / of["minutes"],
        }
        for (venue, symbol), of in sorted(found.items())
    ]
    return sorted(told, key=lambda row: -float(str(row["gap"])))


async def _fresh(view: View) -> Markup:
    now_ns = view.house.parts.clock.now_ns()
    rows = [
        {**row, "age_s": (now_ns - int(str(row["watermark"]))) / NANOS_PER_SECOND if row["watermark"] else None}
        for row in await ask(view, Permission.READ_MARKET, QUERIES["watermarks"])
    ]
    return table("Watermarks", FRESH, rows, view.reader, empty="No collector published a watermark in the last week.")


async def _collectors(view: View) -> Markup:
    rows = [row for row in await view.rows("services", 500) if str(row["service"]).startswith("ingest")]
    return table("Collectors", COLLECT, rows, view.reader, empty="No collector ran in the last day.")


async def _gaps(view: View) -> Markup:
    rows = await view.rows("gaps", 100)
    if not rows:
        return nothing("Nothing was ever missing.")
    tally = Markup(" ").join(
        Markup("{} {}").format(sum(row["status"] == status for row in rows), badge(status))
        for status in sorted({str(row["status"]) for row in rows})
    )
    return Markup("<p>{}</p>{}").format(tally, table("Gaps", GAPS, rows, view.reader))


async def _checks(view: View) -> Markup:
    found = await ask(view, Permission.READ_MARKET, QUERIES["checks"])
    rows = sorted(found, key=lambda row: _WORST.get(str(row["grade"]), 1))
    return table("Checks", CHECKS, rows[:300], view.reader, empty="No check ran in the last week.")


async def _datasets(view: View) -> Markup:
    rows = [{**row, "node": f"{row['name']}@{row['version']}"} for row in await view.rows("datasets", 50)]
    return table("Datasets", VERSIONS, rows, view.reader, empty="No dataset was made yet.")
