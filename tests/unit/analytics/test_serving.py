"""Goal: versions come and go while bars are scored: none is dropped, none mixed, and one score of a bar is served."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analytics.facts import BarKey, Stamp
from analytics.models.artifact import Model, artifact_path, save
from analytics.models.direction import Classifier
from analytics.models.standing import Entry, Standing
from analytics.scoring import Scorer, ready_judge
from analytics.serving import NOTHING_SCORED, Features, Judge, Scored, Serving, draw
from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.store import Database

NAMES = ("a_v1", "b_v1")
SWAPS = 50
STAMP = Stamp("sim", 5_000 * MINUTE_NS, NANOS_PER_SECOND)
NO_DATABASE = cast("Database", None)  # who stands where is told by the test


class Told:
    """Stages as the test says."""

    def __init__(self, standing: Standing) -> None:
        self.now = standing

    async def standing(self, _: str) -> Standing:
        return self.now


def classifier(seed: int) -> Classifier:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 2))
    made = cast("Classifier", make_pipeline(StandardScaler(), LogisticRegression()))
    made.fit(x, (x[:, 0] + rng.normal(size=40) > 0).astype(np.int64))
    return made


def kept(
    folder: Path,
    version: str,
    seed: int = 1,
    train_to_ns: int = 0,
    *,
    of: Classifier | None = None,
    names: tuple[str, str] = NAMES,
) -> Entry:
    """A version in its file."""
    model = Model("direction", version, names, train_to_ns, of or classifier(seed))
    return Entry(version, save(model, artifact_path(folder, "direction", version)), 0.5, 0.69, None)


def judge(folder: Path, version: str, train_to_ns: int = 0) -> Judge:
    entry = kept(folder, version, len(version), train_to_ns)
    return ready_judge(artifact_path(folder, "direction", version), entry)


def bars(count: int, first: int = 1_000) -> Features:
    return {BarKey("BTC/USDT", (first + n) * MINUTE_NS): {"a_v1": 0.1 * n, "b_v1": 1.0} for n in range(count)}


async def test_no_score_is_dropped_and_no_pass_mixes_versions_through_fifty_swaps(tmp_path: Path) -> None:
    entries = [kept(tmp_path, f"v{number}", number) for number in range(SWAPS)]
    told = Told(Standing(entries[0]))
    scorer = Scorer(NO_DATABASE, "sim", "direction", tmp_path, stages=told)
    await scorer.reload()
    asked, done, passes = bars(20), threading.Event(), list[list[tuple[str, float]]]()

    def ask_on() -> None:
        while not done.is_set():
            rows = scorer.predict(asked, NOTHING_SCORED, STAMP)
            passes.append([(row.symbols["version"], cast("float", row.columns["score"])) for row in rows])

    async def asked_twice() -> None:
        reached = len(passes)
        while len(passes) < reached + 2 and not asking.done():
            await asyncio.sleep(0)

    asking = asyncio.create_task(asyncio.to_thread(ask_on))
    await asked_twice()
    for entry in entries[1:]:
        told.now = Standing(entry)
        assert await scorer.reload()
        await asked_twice()
    done.set()
    await asking
    assert {len(each) for each in passes} == {20}, "every bar is scored in every pass"
    versions = [{version for version, _ in each} for each in passes]
    assert all(len(each) == 1 for each in versions), "a pass is one version's"
    assert set.union(*versions) == {entry.version for entry in entries}
    said: dict[str, list[float]] = {}
    for each in passes:
        assert said.setdefault(each[0][0], [score for _, score in each]) == [score for _, score in each]


@pytest.mark.parametrize("harm", ["altered", "missing", "unreadable", "unknown family", "another width"])
async def test_broken_version_leaves_the_one_before_in_use_and_is_told(tmp_path: Path, harm: str) -> None:
    told = Told(Standing(kept(tmp_path, "v1")))
    scorer = Scorer(NO_DATABASE, "sim", "direction", tmp_path, stages=told)
    await scorer.reload()
    path = artifact_path(tmp_path, "direction", "v2")
    entry = kept(tmp_path, "v2", 2)
    match harm:
        case "altered":
            path.write_bytes(path.read_bytes() + b"x")
        case "missing":
            path.unlink()
        case "unreadable":
            path.write_bytes(b"no pickle")
            entry = replace(entry, sha256=sha256(b"no pickle").hexdigest())
        case "unknown family":
            of = GaussianNB().fit(np.array([[0.0, 0], [1, 1]]), np.array([0, 1]))
            entry = kept(tmp_path, "v2", of=cast("Classifier", of))
        case _:
            of = make_pipeline(StandardScaler(), LogisticRegression())
            of.fit(np.array([[0.0], [1.0]]), np.array([0, 1]))
            entry = kept(tmp_path, "v2", of=cast("Classifier", of))
    told.now = Standing(entry)
    assert not await scorer.reload()
    assert scorer.model is not None
    assert scorer.model.version == "v1"
    assert {row.symbols["version"] for row in scorer.predict(bars(3), NOTHING_SCORED, STAMP)} == {"v1"}
    assert scorer.trouble.startswith("model direction@v2 is refused, v1 goes on: ")
    told.now = Standing(kept(tmp_path, "v3", 3))
    assert await scorer.reload()
    assert scorer.trouble == "", "who is not wanted any more troubles nobody"


async def test_broken_challenger_leaves_the_champion_alone(tmp_path: Path) -> None:
    bad = kept(tmp_path, "v2", 2)
    artifact_path(tmp_path, "direction", "v2").unlink()
    told = Told(Standing(kept(tmp_path, "v1"), (bad, kept(tmp_path, "v3", 3))))
    scorer = Scorer(NO_DATABASE, "sim", "direction", tmp_path, stages=told)
    assert await scorer.reload()
    assert scorer.serving.versions == ("v1", "v3")
    assert "direction@v2 is refused, v1 goes on" in scorer.trouble
    assert not await scorer.reload(), "nothing changed since"


async def test_challenger_that_becomes_champion_is_not_loaded_again(tmp_path: Path) -> None:
    first, second = kept(tmp_path, "v1"), kept(tmp_path, "v2", 2)
    told = Told(Standing(first, (second,)))
    scorer = Scorer(NO_DATABASE, "sim", "direction", tmp_path, stages=told)
    await scorer.reload()
    challenger = scorer.serving.challengers[0]
    told.now = Standing(second)
    assert await scorer.reload()
    assert scorer.serving.champion is challenger


def test_challengers_speak_and_only_the_champion_is_served_without_a_share(tmp_path: Path) -> None:
    serving = Serving(judge(tmp_path, "v1"), (judge(tmp_path, "v22"), judge(tmp_path, "v333")))
    found = serving.scores(bars(10), NOTHING_SCORED)
    assert Counter((each.model.version, each.role, each.served) for each in found) == {
        ("v1", "champion", True): 10,
        ("v22", "challenger", False): 10,
        ("v333", "challenger", False): 10,
    }


@given(share=st.floats(0, 1), first=st.integers(0, 10**6))
def test_of_every_bar_exactly_one_score_is_served_and_always_the_same(
    judges: list[Judge], share: float, first: int
) -> None:
    serving = Serving(judges[0], tuple(judges[1:]), share)
    found = serving.scores(bars(20, 1_000 + first), NOTHING_SCORED)
    served = [(each.key, each.model.version) for each in found if each.served]
    assert len(served) == len({key for key, _ in served}) == 20
    again = serving.scores(bars(5, 1_000 + first), NOTHING_SCORED)
    assert {(each.key, each.model.version) for each in again if each.served} <= set(served)


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> list[Judge]:
    folder = tmp_path_factory.mktemp("judges")
    return [judge(folder, version) for version in ("v1", "v22", "v333")]


def test_share_of_the_challengers_is_what_was_set(judges: list[Judge]) -> None:
    serving = Serving(judges[0], tuple(judges[1:]), 0.5)
    served = Counter(each.model.version for each in serving.scores(bars(4_000), NOTHING_SCORED) if each.served)
    assert served["v1"] == pytest.approx(2_000, abs=130)
    assert served["v22"] == pytest.approx(1_000, abs=110)
    assert served["v333"] == pytest.approx(1_000, abs=110)


def test_lot_falls_otherwise_for_another_symbol_and_another_minute() -> None:
    lots = {draw(BarKey(symbol, n * MINUTE_NS)) for symbol in ("A", "B") for n in range(500)}
    assert len(lots) == 1_000
    assert all(0 <= lot < 1 for lot in lots)
    assert draw(BarKey("A", 7 * MINUTE_NS)) == draw(BarKey("A", 7 * MINUTE_NS + 5)), "a minute has one lot"


def test_bar_that_its_challenger_was_fitted_on_is_served_by_the_champion(tmp_path: Path) -> None:
    late = judge(tmp_path, "v22", train_to_ns=1_004 * MINUTE_NS)
    found = Serving(judge(tmp_path, "v1"), (late,), 1.0).scores(bars(10), NOTHING_SCORED)
    served = Counter(each.model.version for each in found if each.served)
    assert served == {"v1": 5, "v22": 5}
    assert not [each for each in found if each.model.version == "v22" and each.key.ts_ns <= late.model.train_to_ns]


def test_what_is_served_stays_and_challengers_catch_up(tmp_path: Path) -> None:
    keys = list(bars(10))
    already = Scored(frozenset((key, "v0") for key in keys[:6]), frozenset(keys[:6]))
    found = Serving(judge(tmp_path, "v1"), (judge(tmp_path, "v22"),), 1.0).scores(bars(10), already)
    assert {each.key for each in found if each.served} == set(keys[6:])
    assert len([each for each in found if each.role == "champion"]) == 4, (
        "nobody asks a new champion about what is served"
    )
    assert len([each for each in found if each.role == "challenger"]) == 10
    said = frozenset((each.key, each.model.version) for each in found)
    again = Serving(judge(tmp_path, "v1"), (judge(tmp_path, "v22"),)).scores(bars(10), Scored(said, frozenset(keys)))
    assert again == []


def test_bar_without_a_feature_or_with_one_that_is_no_number_is_not_scored(tmp_path: Path) -> None:
    odd = {
        BarKey("A", 1_000 * MINUTE_NS): {"a_v1": None, "b_v1": 1.0},
        BarKey("A", 1_001 * MINUTE_NS): {"a_v1": float("nan"), "b_v1": 1.0},
        BarKey("A", 1_002 * MINUTE_NS): {"a_v1": float("inf"), "b_v1": 1.0},
        BarKey("A", 1_003 * MINUTE_NS): {"a_v1": 1, "b_v1": 1.0},
    }
    found = Serving(judge(tmp_path, "v1")).scores(odd, NOTHING_SCORED)
    assert [each.key.ts_ns for each in found] == [1_003 * MINUTE_NS]
    assert Serving().scores(odd, NOTHING_SCORED) == []
