"""Goal: a recorded market, a thousand times over, gets the workers that it needs, and keeps them through the quiet."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from ares.telemetry import metrics
from tests.autoscaling import SYNC_S, TOLERANCE, Autoscaler, Memory, Policy, Rules, decide, wanted_by
from tests.conftest import require_program
from tests.helpers import ROOT
from tests.kubernetes import KUBERNETES, Object, named, of_kind, overlay

assert metrics, "imported for what it registers"
RATE, LAG, READERS = "ares_ingest_trades_per_second", "ares_sink_lag_seconds", "ares_stream_readers"
WORKER_TRADES_S = 20_000.0
"""What one worker is proved to keep up with (tests/integration/test_ingest_crashes.py)."""
READY_S = 30
"""From a pod's making until it works."""
RATE_WINDOW_S = 60
"""Of the adapter's query."""


def scaler(name: str, place: str = "prod-kafka") -> Autoscaler:
    return Autoscaler.of(named(overlay(place), "HorizontalPodAutoscaler", name))


@cache
def recorded() -> Sequence[int]:
    """Trades of BTC/USDT and ETH/USDT together, second by second, as Binance's streams of 2024-08-08 brought them."""
    trades: Counter[int] = Counter()
    for path in sorted((ROOT / "simulator" / "recordings").glob("spot_*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            trades.update(int(line[:10]) for line in lines if "@trade" in line[:60])
    return [trades[second] for second in range(min(trades), max(trades) + 1)]


@dataclass
class Workers:
    """Sink workers behind a topic, second by second: what they have not written waits there, in order."""

    replicas: int
    made_at: list[int] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    working: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.made_at = [-READY_S] * self.replicas

    def scale(self, second: int, replicas: int) -> None:
        self.made_at = (self.made_at + [second] * replicas)[:replicas]
        self.replicas = replicas

    def tick(self, second: int, trades: float) -> None:
        """A second's trades come, and as many as can be are written."""
        ready = sum(1 for each in self.made_at if second - each >= READY_S)
        self.sent.append((self.sent[-1] if self.sent else 0.0) + trades)
        before = self.written[-1] if self.written else 0.0
        self.written.append(min(self.sent[-1], before + ready * WORKER_TRADES_S))
        self.working.append(ready)

    @property
    def lag_s(self) -> float:
        """How long ago the oldest came that is not written."""
        done = self.written[-1]
        return float(sum(1 for each in self.sent if each > done))

    def figures(self) -> Mapping[str, Sequence[float]]:
        """As the adapter tells of each worker that is ready."""
        ready = self.working[-1]
        span = min(RATE_WINDOW_S, len(self.written))
        before = self.written[-span - 1] if len(self.written) > span else 0.0
        share = (self.written[-1] - before) / span / ready
        return {RATE: [share] * ready, LAG: [self.lag_s] * ready}


@dataclass(frozen=True)
class Day:
    """What came of a load: how many workers were wanted at each look, and how late rows were in each second."""

    wanted: Sequence[int]
    lag_s: Sequence[float]


def played(scaled: Autoscaler, load: Sequence[float]) -> Day:
    """A load, second by second, on as few workers as there may be, scaled as the manifest says."""
    workers, memory = Workers(scaled.least), Memory()
    wanted, lag_s = [], []
    for second, trades in enumerate(load):
        workers.tick(second, trades)
        lag_s.append(workers.lag_s)
        if second % SYNC_S == SYNC_S - 1:
            replicas = decide(scaled, memory, float(second), workers.replicas, workers.figures())
            wanted.append(replicas)
            workers.scale(second, replicas)
    return Day(wanted, lag_s)


def market(times: float, *, quiet_s: int = 0) -> Sequence[float]:
    """The recorded six minutes, as if so many pairs of symbols moved alike; then quiet, at a tenth of the mean."""
    trades = recorded()
    mean = sum(trades) / len(trades)
    return [*(each * times for each in trades), *[mean * times / 10] * quiet_s]


def test_the_recorded_load_is_what_it_was() -> None:
    seconds = recorded()
    assert (len(seconds), sum(seconds), max(seconds)) == (346, 15_863, 997)


def test_a_market_of_two_thousand_pairs_gets_workers_as_it_wakes_and_keeps_them_through_the_quiet() -> None:
    day = played(scaler("ingest-sink"), market(1_000, quiet_s=3_000))
    awake = [*[4] * 14, 7, 8, *[10] * 7]
    assert list(day.wanted[: len(awake)]) == awake, "four from the first look; the wave of the fourth minute takes ten"
    waved = day.wanted.index(10)
    kept_s = (
        len(day.wanted) - waved - 1 - next(n for n, each in enumerate(reversed(day.wanted)) if each == 10)
    ) * SYNC_S
    assert kept_s >= 600, "none goes for ten minutes after the last was wanted"
    down = [each for before, each in pairwise(day.wanted) if each < before]
    assert down == [9, 8, 7, 6, 5, 4, 3, 2], "then one after the other"
    assert max(day.lag_s) <= 15, "a second with 997,000 trades is written 15 s later"
    assert day.lag_s[-1] == 0


def test_a_worker_that_goes_is_followed_by_no_other_for_two_minutes() -> None:
    wanted = played(scaler("ingest-sink"), market(1_000, quiet_s=3_000)).wanted
    gone = [look * SYNC_S for look in range(1, len(wanted)) if wanted[look] < wanted[look - 1]]
    assert all(later - sooner >= 120 for sooner, later in pairwise(gone))


def test_a_market_that_two_can_carry_is_carried_by_two() -> None:
    day = played(scaler("ingest-sink"), market(100, quiet_s=600))
    assert set(day.wanted) == {2}
    assert max(day.lag_s) <= 2


def test_never_more_workers_than_partitions_and_no_row_is_lost_to_that() -> None:
    day = played(scaler("ingest-sink"), market(8_000, quiet_s=6_000))
    assert max(day.wanted) == 12 == scaler("ingest-sink").most
    assert day.lag_s[345] > 60, "more than twelve could carry"
    assert day.lag_s[-1] == 0, "and caught up once it is quiet"


def test_workers_that_all_hang_are_not_taken_away() -> None:
    scaled, memory = scaler("ingest-sink"), Memory()
    wanted = [decide(scaled, memory, now, 6, {RATE: [], LAG: []}) for now in (0.0, 15.0, 30.0)]
    assert wanted == [6, 6, 6], "without a figure nothing is decided"


def test_readers_bring_processes_of_the_api_and_take_them_along_slowly() -> None:
    scaled, memory, replicas = scaler("api", "prod"), Memory(), 2
    told = []
    for look, readers in enumerate([100, 900, 1_800, 1_800, 1_800, *[200] * 60]):
        replicas = decide(scaled, memory, look * SYNC_S, replicas, {READERS: [readers / replicas] * replicas})
        told.append(replicas)
    assert told[:6] == [2, 3, 4, 5, 6, 6], "two more in half a minute"
    assert told[5:23] == [6] * 18, "none goes for five minutes"
    assert told[-1] == 2


FIGURES = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=30)


@given(looks=st.lists(FIGURES, min_size=1, max_size=40), least=st.integers(1, 3), more=st.integers(0, 20))
def test_there_are_never_fewer_or_more_than_the_bounds_nor_faster_than_the_policies(
    looks: list[list[float]], least: int, more: int
) -> None:
    up = Rules(0, "Max", [Policy("Percent", 100, 30), Policy("Pods", 2, 30)])
    down = Rules(60, "Min", [Policy("Pods", 1, 30), Policy("Percent", 50, 30)])
    scaled, memory, replicas = Autoscaler(least, least + more, {"m": 100.0}, up, down), Memory(), least
    history = [least]
    for look, figures in enumerate(looks):
        replicas = decide(scaled, memory, look * SYNC_S, replicas, {"m": figures[:replicas]})
        history.append(replicas)
        assert least <= replicas <= least + more
        before = history[max(0, len(history) - 3)]
        assert replicas <= max(2 * max(history[-3:-1]), max(history[-3:-1]) + 2)
        assert replicas >= min(before, *history[-3:]) - 1


@given(load=st.floats(1, 1e5), started=st.integers(2, 12))
def test_a_load_that_stays_ends_in_a_number_that_stays_and_that_carries_it(load: float, started: int) -> None:
    rules = Rules(0, "Max", [Policy("Percent", 100, 15)])
    scaled, memory = Autoscaler(2, 12, {"m": 10_000.0}, rules, Rules(60, "Max", [Policy("Percent", 100, 15)])), Memory()
    replicas, history = started, []
    for look in range(40):
        replicas = decide(scaled, memory, look * SYNC_S, replicas, {"m": [load / replicas] * replicas})
        history.append(replicas)
    assert len(set(history[-10:])) == 1
    assert load / replicas <= 10_000 * (1 + TOLERANCE) or replicas == 12


def test_the_algorithm_is_the_documented_one() -> None:
    assert wanted_by(100, 2, [200, 200]) == 4, "twice the figure, twice the pods"
    assert wanted_by(100, 4, [50] * 4) == 2
    assert wanted_by(100, 3, [109, 109, 109]) == 3, "within the tolerance"
    assert wanted_by(100, 3, [112, 112, 112]) == 4, "rounded up"
    assert wanted_by(100, 4, [300, 300]) == 6, "two that say nothing are taken to do nothing"
    assert wanted_by(100, 4, [130, 130]) == 4, "and may turn the direction: then nothing changes"
    assert wanted_by(100, 4, [10, 10]) == 3, "or to do all of their share"


def test_policies_of_scaling_down_work_as_in_the_documentation() -> None:
    """80 pods, 10 wanted, "Pods 4" and "Percent 10" a minute: 8 go, then 8 of 72 (rounded up), below 40 four each."""
    down = Rules(0, "Max", [Policy("Pods", 4, 60), Policy("Percent", 10, 60)])
    up = Rules(0, "Max", [Policy("Percent", 100, 15)])
    scaled, memory = Autoscaler(1, 100, {"m": 100.0}, up, down), Memory()
    replicas, history = 80, [80]
    for minute in range(14):
        replicas = decide(scaled, memory, minute * 60.0, replicas, {"m": [1_000 / replicas] * replicas})
        history.append(replicas)
    assert history[:4] == [80, 72, 64, 57]
    below = [each for each in history if each <= 40]
    assert [one - other for one, other in pairwise(below)][:5] == [4] * 5
    assert history[-1] == 11, "which is near enough: a tenth is within the tolerance"


def test_a_peak_of_one_look_is_kept_as_long_as_the_window_says() -> None:
    rules = Rules(0, "Max", [Policy("Percent", 900, 15)])
    scaled, memory = Autoscaler(1, 9, {"m": 1.0}, rules, Rules(60, "Max", [Policy("Percent", 100, 15)])), Memory()
    replicas, told = 1, []
    for look, load in enumerate([5, 1, 1, 1, 1, 1]):
        replicas = decide(scaled, memory, look * SYNC_S, replicas, {"m": [load / replicas] * replicas})
        told.append(replicas)
    assert told == [5, 5, 5, 5, 1, 1]


def adapter_rules() -> Sequence[Object]:
    values = yaml.safe_load((KUBERNETES / "prometheus-adapter.values.yaml").read_text(encoding="utf-8"))
    return values["rules"]["custom"]


def test_every_metric_that_scales_is_one_that_the_adapter_makes_of_ours() -> None:
    made = {each["name"]["as"] for each in adapter_rules()}
    wanted = {
        metric["pods"]["metric"]["name"]
        for each in of_kind(overlay("prod-kafka"), "HorizontalPodAutoscaler")
        for metric in each["spec"]["metrics"]
        if metric["type"] == "Pods"
    }
    assert wanted == made == {RATE, LAG, READERS}
    for each in adapter_rules():
        assert re.fullmatch(each["name"]["matches"], each["seriesQuery"].split("{")[0])


def queries() -> Mapping[str, str]:
    """Every question to Prometheus that manifests hold, with its holes filled."""
    asked = {
        each["name"]["as"]: each["metricsQuery"]
        .replace("<<.GroupBy>>", "pod")
        .replace("<<.Series>>", each["seriesQuery"].split("{")[0])
        .replace("<<.LabelMatchers>>", 'namespace="ares",pod=~"a|b"')
        for each in adapter_rules()
    }
    for template in of_kind(overlay("prod"), "AnalysisTemplate"):
        for metric in template["spec"]["metrics"]:
            asked[metric["name"]] = metric["provider"]["prometheus"]["query"].replace("{{args.", "").replace("}}", "")
    return asked


def test_every_question_to_prometheus_is_one_and_asks_for_figures_that_there_are(tmp_path: Path) -> None:
    promtool = require_program("promtool", "apt-get install prometheus")
    rules = [{"record": f"asked:{number}", "expr": query} for number, query in enumerate(queries().values())]
    file = tmp_path / "asked.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    known = {sample.name for family in REGISTRY.collect() for sample in family.samples}
    known |= {f"{family.name}{end}" for family in REGISTRY.collect() for end in ("", "_total", "_bucket", "_count")}
    named_there = {name for query in queries().values() for name in re.findall(r"\bares_\w+", query)}
    assert len(named_there) >= 8
    assert named_there <= known
