"""The console as somebody's browser has it: an API process on a real QuestDB, users of every role, Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from api.console.entry import COOKIE
from api.console.view import ROOT
from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore
from ares.security.access.door import Door
from ares.security.access.roles import Role, Scope
from ares.security.access.users import By
from ares.service import ServiceContext
from ares.service.entrance import door_of
from tests.api import PASSWORD, config_of
from tests.api_process import serving_api
from tests.conftest import free_port
from tests.helpers import missing

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZES: Mapping[str, tuple[int, int]] = {"desktop": (1440, 900), "phone": (360, 740)}
LOADED_MS_MAX = 60_000
GRAVE = frozenset({"serious", "critical"})
SAMPLES = {
    "user": "viewer",
    "job": "job-0",
    "order_id": "order-10",
    "strategy": "momentum",
    "model": "direction",
    "version": "v1",
    "run_id": "r",
    "cycle_id": "cycle-0",
    "correlation_id": "cycle-0",
    "plan_id": "order-10",
    "dataset": "bars",
    "name": "bars",
    "table": "trades",
    "venue": "sim",
}
"""What stands for the {parts} of paths; rows of `tests.boards_rows` have them."""
_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifted += each.value;
}).observe({type: "layout-shift", buffered: true});
"""
LOADED = """() => document.querySelector("main h1")
  && ![...document.querySelectorAll("main .filled")].some((each) => each.textContent.includes("Loading …"))
  && [...document.querySelectorAll("main .chart")].every((each) => "drawn" in each.dataset)"""
"""True in a page whose panels and charts are there."""


@dataclass(frozen=True, slots=True)
class Console:
    """Where it listens, who may come in, and the database it reads."""

    address: str
    door: Door
    database: DatabaseConfig

    @property
    def root(self) -> str:
        """Where its pages are."""
        return f"{self.address}{ROOT}"


@dataclass(slots=True)
class Seen:
    """What was to be seen of a page: complaints of the browser and of axe, pixels beyond the right edge, how much moved
    (cumulative layout shift), and after how long it could be read.
    """

    size: str
    complaints: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    grave: list[str] = field(default_factory=list)
    beyond_px: int = 0
    shifted: float = 0.0
    usable_s: float = 0.0
    words: str = ""


@contextlib.contextmanager
def serving_console(database: DatabaseConfig, state_dir: Path) -> Iterator[Console]:
    """A running API with its console, and a user of every role, named like it."""
    port = free_port()
    context = ServiceContext(config_of(database, state_dir), SystemClock(), "test")
    state_dir.mkdir(parents=True, exist_ok=True)
    control = ControlStore.open(context.control_url)
    door = door_of(context, control)
    with ThreadPoolExecutor() as hashing:  # hashes of passwords take long
        list(hashing.map(lambda role: door.users.add(role.value, role, Scope(), PASSWORD, By("test")), Role))
    try:
        with serving_api(database, state_dir, port) as (address, _):
            yield Console(address, door, database)
    finally:
        control.close()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The system's browser. Without one the test skips with the way out; in CI that is a failure."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        missing("Chromium is not installed: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


async def cookie_of(console: Console, user: str) -> str:
    """What a browser keeps of somebody who logged in."""
    body = {"user": user, "password": PASSWORD, "code": "", "next": ""}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{console.root}/login", data=body, allow_redirects=False) as answer,
    ):
        assert answer.status == 303, await answer.text()
        return answer.cookies[COOKIE].value


async def logged_in(
    browser: Browser, console: Console, user: str, size: str = "desktop", theme: str = "dark"
) -> BrowserContext:
    """A browser in which somebody is logged in, in a zone that is not UTC."""
    width, height = SIZES[size]
    context = await browser.new_context(viewport={"width": width, "height": height}, timezone_id="Europe/Vienna")
    context.set_default_timeout(LOADED_MS_MAX)
    for name, value in ((COOKIE, await cookie_of(console, user)), ("ares_theme", theme)):
        await context.add_cookies([{"name": name, "value": value, "domain": "127.0.0.1", "path": ROOT}])
    await context.add_init_script(_SHIFTS)
    return context


async def look(
    context: BrowserContext, console: Console, path: str, pictures: Path, sizes: Sequence[str]
) -> list[Seen]:
    """Open a page at the first size, then make the window another size; what is seen at each."""
    page = await context.new_page()
    complaints: list[str] = []
    _listen(page, complaints)
    begun = time.monotonic()
    await page.set_viewport_size(_viewport(sizes[0]))
    await page.goto(f"{console.root}/{path}")
    await page.locator("main h1").wait_for()
    usable_s = time.monotonic() - begun
    await page.wait_for_function(LOADED)
    found = []
    for size in sizes:
        await page.set_viewport_size(_viewport(size))
        await page.wait_for_timeout(150)
        seen = Seen(size, complaints, usable_s=usable_s)
        seen.shifted = float(await page.evaluate("window.shifted")) if size == sizes[0] else 0.0
        seen.beyond_px = int(await page.evaluate("document.documentElement.scrollWidth - innerWidth"))
        seen.words = await page.inner_text("main")
        for each in (await Axe().run(page)).response["violations"]:
            words = f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}"
            seen.violations.append(words)
            if each["impact"] in GRAVE:
                seen.grave.append(words)
        await page.screenshot(path=pictures / f"{_file(path)}-{size}.png", full_page=True)
        found.append(seen)
    await page.close()
    return found


def sampled(path: str) -> str:
    """The address of a page whose path has {parts}."""
    return path.format_map(SAMPLES)


def pictures_in(folder: Path) -> Path:
    """Where pictures of pages go: a folder that the environment names, or this one."""
    chosen = Path(os.environ.get("ARES_TEST_SCREENSHOTS") or folder)
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen


def within(pictures: Path, name: str) -> Path:
    """A folder of its own for one look: others show the same pages."""
    folder = pictures / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def gathered(console: Console, paths: Sequence[str], cookie: str, at_once: int = 6) -> dict[str, int]:
    """The status with which each page is answered to who has this cookie."""
    places = asyncio.Semaphore(at_once)

    async def status(http: aiohttp.ClientSession, path: str) -> int:
        async with places, http.get(f"{console.root}/{path}", allow_redirects=False) as answer:
            return answer.status

    async with aiohttp.ClientSession(cookies={COOKIE: cookie}, cookie_jar=_anywhere()) as http:
        return dict(zip(paths, await asyncio.gather(*(status(http, each) for each in paths)), strict=True))


def _anywhere() -> aiohttp.CookieJar:
    return aiohttp.CookieJar(unsafe=True)


def _viewport(size: str) -> dict[str, int]:
    width, height = SIZES[size]
    return {"width": width, "height": height}


def _file(path: str) -> str:
    return path.replace("/", "-") or "overview"


def _listen(page: Page, complaints: list[str]) -> None:
    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"console: {message.text[:300]}")

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    page.on("requestfailed", lambda request: complaints.append(f"not loaded: {request.url} {request.failure}"))
    page.on(
        "response",
        lambda answer: complaints.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None,
    )
