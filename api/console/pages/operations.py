"""Operations: what runs, which jobs ran and how, whether copies are good, what services say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from markupsafe import Markup
from nicegui import ui

from api.console import launch
from api.console.beats import services_now
from api.console.errands import add_errands
from api.console.filters import Filter, form
from api.console.live import LOADING, Panels, section
from api.console.loglines import LEVELS, data_of, newest, services
from api.console.tables import Col, Form, nothing, table
from api.console.view import View
from ares.errors import StoreError
from ares.security.access.roles import Permission
from ares.service.registry import job_names
from ares.store import Record
from ares.store.pool import as_int

SERVICES = (
    Col("service", "Service"),
    Col("state", "State", Form.STATE),
    Col("age_s", "Beat", Form.SECONDS),
    Col("resident_mb", "Memory, MiB", Form.WHOLE),
    Col("cpu_s", "Processor", Form.SECONDS),
    Col("threads", "Threads", Form.WHOLE),
    Col("open_files", "Files", Form.WHOLE),
    Col("version", "Version"),
    Col("instance", "Instance", Form.CODE),
    Col("detail", "Says"),
)
JOBS = (
    Col("job", "Job", link="jobs/{job}"),
    Col("status", "Newest run", Form.STATE),
    Col("ts", "When", Form.TIME),
    Col("duration_s", "Took", Form.SECONDS),
    Col("cause", "Because of", Form.WORD),
    Col("runs", "Runs, week", Form.WHOLE),
    Col("failed", "Of them not well", Form.WHOLE),
)
RUNS = (
    Col("ts", "When", Form.TIME),
    Col("status", "Status", Form.STATE),
    Col("duration_s", "Took", Form.SECONDS),
    Col("cause", "Because of", Form.WORD),
    Col("slot", "Due", Form.TIME),
    Col("run_id", "Run", Form.CODE),
    Col("outcome", "Outcome", Form.CODE),
)
BACKUPS = (
    Col("ts", "When", Form.TIME),
    Col("kind", "Kind"),
    Col("status", "Status", Form.STATE),
    Col("covers_to", "Covers to", Form.TIME),
    Col("duration_s", "Took", Form.SECONDS),
    Col("files", "Files", Form.WHOLE),
    Col("total_mb", "MB", Form.WHOLE),
    Col("added_mb", "New, MB", Form.WHOLE),
    Col("error", "Error"),
)
DRILLS = (
    Col("ts", "When", Form.TIME),
    Col("status", "Status", Form.STATE),
    Col("rpo_market_s", "RPO, market", Form.SECONDS),
    Col("rpo_journal_s", "RPO, journal", Form.SECONDS),
    Col("rto_s", "RTO", Form.SECONDS),
    Col("proved_to", "Proved to", Form.TIME),
    Col("tables", "Tables", Form.WHOLE),
    Col("rows", "Rows", Form.WHOLE),
    Col("differences", "Differences", Form.WHOLE),
    Col("error", "Error"),
)
LOGS = (
    Col("ts", "Time", Form.TIME),
    Col("service", "Service"),
    Col("level", "Level", Form.STATE),
    Col("event", "Event", Form.WORD),
    Col("data", "With", Form.CODE),
)
LINES = 100


async def build(view: View) -> None:
    """The page of who operates it."""
    panels = Panels(view)
    panels.add("Services", lambda: services_now(view, SERVICES), follows=("services",), every_s=5, size="full")
    panels.add("Jobs", lambda: _jobs(view), follows=("jobs",), every_s=30, size="full")
    panels.add("Backups", lambda: _backups(view), every_s=30, size="full")
    panels.add("Restore drills", lambda: _drills(view), every_s=30, size="full")
    launch.job(view)
    add_errands(view, panels, "Jobs that were asked for", "job")
    filters = (Filter("service", "Service", await _whose(view)), Filter("level", "Level, and worse", LEVELS))
    with section("Logs", "full").props("id=logs"):
        ui.html(form("operations#logs", filters, view.query), sanitize=False)
        box = ui.element("div").classes("filled")
    panels.join(box, lambda: _logs(view), (), 5.0).html.set_content(LOADING)
    await panels.settle()


async def build_job(view: View) -> None:
    """Runs of one job."""
    job = view.query["job"]
    panels = Panels(view)
    if job in job_names():
        launch.job(view, job)
        add_errands(view, panels, "Runs that were asked for", "job", about=job)
    panels.add(f"Runs of {job}", lambda: _runs(view, job), follows=("jobs",), every_s=30, size="full")
    await panels.settle()


async def _jobs(view: View) -> Markup:
    rows = by_job(await view.rows("jobs", 10_000))
    return table("Jobs", JOBS, rows, view.reader, empty="No job ran in the last week.")


def by_job(rows: Sequence[Record]) -> list[Record]:
    """The newest step of each job, newest first, with how many runs ended and how many of them not well.

    `rows`: newest first.
    """
    newest_of: dict[str, dict[str, Record]] = {}
    for row in rows:
        newest_of.setdefault(str(row["job"]), {}).setdefault(str(row["run_id"]), row)
    return [
        {
            **next(iter(runs.values())),
            "runs": len(runs),
            "failed": sum(run["status"] not in ("ok", "started") for run in runs.values()),
        }
        for runs in newest_of.values()
    ]


async def _runs(view: View, job: str) -> Markup:
    seen: dict[str, Record] = {}
    for row in await view.rows("jobs", 400, job=job, since="1970-01-01T00:00:00Z"):
        seen.setdefault(str(row["run_id"]), row)
    return table("Runs", RUNS, seen.values(), view.reader, empty="It did not run in the last thirty days.")


async def _backups(view: View) -> Markup:
    rows = [
        {**row, "total_mb": _mb(row["bytes_total"]), "added_mb": _mb(row["bytes_added"])}
        for row in await view.rows("backups", 20)
    ]
    words = "None was made yet. How: the chapter Backup of the operator's guide."
    return table("Backups", BACKUPS, rows, view.reader, empty=words)


async def _drills(view: View) -> Markup:
    rows = await view.rows("drills", 10)
    return table("Restore drills", DRILLS, rows, view.reader, empty="No restore was proved yet.")


async def _logs(view: View) -> Markup:
    if not view.may(Permission.READ_LOGS):
        return nothing("Logs know no bounds: not for who is confined to accounts or strategies.")
    await view.caller(Permission.READ_LOGS)
    service, level = view.query.get("service", ""), view.query.get("level", "")
    try:
        rows = await _told(view, service, level)
    except StoreError:
        rows = []
    if rows:
        return table("Logs", LOGS, rows, view.reader)
    folder = view.house.parts.config().environment.state_dir
    lines = await asyncio.to_thread(newest, folder, service, level, LINES)
    here = Markup('<p class="hint">Of the files of this machine: the database tells no such lines.</p>')
    return here + table("Logs", LOGS, lines, view.reader, empty="No lines here: other machines keep their own files.")


async def _told(view: View, service: str, level: str) -> list[Record]:
    """What services say as rows, of a level and worse, newest first. Raises `StoreError`."""
    levels = LEVELS[LEVELS.index(level) :] if level in LEVELS else ("",)
    found = await asyncio.gather(*(view.rows("logs", LINES, service=service, level=each) for each in levels))
    rows = sorted((row for some in found for row in some), key=lambda row: as_int(row["ts"]), reverse=True)
    return [{**row, "data": data_of(str(row["fields"] or ""))} for row in rows[:LINES]]


async def _whose(view: View) -> list[str]:
    """Services whose lines there may be: those that beat, and those that write files here."""
    folder = view.house.parts.config().environment.state_dir
    names = set(await asyncio.to_thread(services, folder))
    with suppress(StoreError):
        names |= {str(row["service"]) for row in await view.rows("services", 200)}
    return sorted(names)


def _mb(size: object) -> float | None:
    return size / 1e6 if isinstance(size, int) else None
