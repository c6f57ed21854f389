"""Goal: every expression of the boards names metrics and labels that exist, and a real Prometheus answers it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from ares.config.settings import DatabaseConfig
from tests.boards import BOARDS, Expression, expressions
from tests.conftest import free_port, require_program
from tests.helpers import ROOT
from tests.metrics_page import declared

EXPRESSIONS = [each for board in BOARDS for each in expressions(board)]
NAME = re.compile(r"\b((?:ares|questdb)_[a-z0-9_]+)\b")
LABELS = re.compile(r"by \(([^)]*)\)|\{\{(\w+)\}\}|[{,]\s*(\w+)!?=")
OF_PROMETHEUS = {"le", "instance", "service", "job", "step"}
"""Labels that no metric declares: of buckets, of where it was scraped, and one that an expression makes itself."""
ANSWERED_S_MAX = 120.0
LOOKED_AT = ("ares_trader_cycles_total", "questdb_commits_total")
LOOKS_MIN = 3
"""A rate needs two looks that went well; on a busy machine some do not."""


def labels_by_name() -> dict[str, set[str]]:
    """Every name that a metric of Ares is scraped by, with its labels."""
    endings = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
    found: dict[str, set[str]] = {}
    for metric in declared():
        base = metric._name + ("_total" if metric._type == "counter" else "")
        found |= {base + ending: set(metric._labelnames) for ending in endings[metric._type]}
    return found


@pytest.fixture(scope="module")
def of_questdb(questdb_config: DatabaseConfig) -> set[str]:
    with urlopen(f"http://{questdb_config.host}:{questdb_config.health_port}/metrics", timeout=10) as page:
        return set(NAME.findall(page.read().decode()))


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda each: each.name)
def test_expression_names_metrics_and_labels_that_exist(expression: Expression, of_questdb: set[str]) -> None:
    known = labels_by_name()
    names = set(NAME.findall(expression.text))
    assert names or "up" in expression.text
    assert names <= set(known) | of_questdb, "nothing is scraped under this name"
    used = {
        label.strip()
        for found in LABELS.findall(expression.text + expression.legend)
        for label in ",".join(found).split(",")
        if label.strip()
    }
    assert used <= OF_PROMETHEUS.union(*(known.get(name, set()) for name in names)), "no such label"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, questdb_config: DatabaseConfig) -> Iterator[str]:
    """A real Prometheus that has looked at a QuestDB and at all metrics of Ares more than twice."""
    program = require_program("prometheus", "apt-get install prometheus")
    folder, port, page_port = tmp_path_factory.mktemp("prometheus"), free_port(), free_port()
    scraped = {"ares": page_port, "questdb": questdb_config.health_port}
    jobs = [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{at}"]}]} for job, at in scraped.items()]
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "2s", "scrape_timeout": "2s"}, "scrape_configs": jobs}))
    page = subprocess.Popen(
        [sys.executable, "-m", "tests.metrics_page", str(page_port)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert page.stdout is not None
    assert page.stdout.readline() == b"ready\n"
    server = subprocess.Popen(
        [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_looked(address, folder)
        yield address
    finally:
        for process in (server, page):
            process.terminate()
            process.wait(20)
        page.stdout.close()


def wait_until_looked(address: str, folder: Path) -> None:
    until = time.monotonic() + ANSWERED_S_MAX
    while time.monotonic() < until:
        try:
            looks = [ask(address, f"max(count_over_time({name}[5m]))") for name in LOOKED_AT]
            if all(found and found[0] >= LOOKS_MIN for found in looks):
                return
        except OSError:
            pass
        time.sleep(0.25)
    pytest.fail(f"Prometheus in {folder} has not looked at both")


def ask(address: str, expression: str) -> list[float]:
    """The values of the series that an expression has now."""
    with urlopen(f"{address}/api/v1/query?{urlencode({'query': expression})}", timeout=30) as told:
        answer = json.load(told)
    assert answer["status"] == "success"
    return [float(each["value"][1]) for each in answer["data"]["result"]]


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda each: each.name)
def test_expression_is_answered_by_a_real_prometheus(expression: Expression, prometheus: str) -> None:
    values = ask(prometheus, expression.filled(rate="5m", shown="5m"))
    assert values, "no series"
    if "ares_" in expression.text:
        assert not all(map(math.isnan, values)), "all metrics of Ares grow here, so that shares of them are numbers"
