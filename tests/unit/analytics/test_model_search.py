"""Goal: one seed gives one model, on any machine and after any kill, and what cannot be known is not learnt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analytics.models.canaries import NOISE, sung
from analytics.models.direction import Dataset, Fit, NoFit, dataset, fit, parted
from analytics.models.families import DEFAULTS, SPACES, fitted, recipe_of, scores
from analytics.models.search import Bench, Search
from ares.config.training import TrainingConfig
from ares.errors import OperatingError
from tests.helpers import ROOT
from tests.unit.analytics.test_direction import market

FAMILIES = ("logistic", "boosting", "forest", "ensemble")
CONFIG = TrainingConfig(rows_min=100, horizon_bars=5, folds=2, families=("logistic", "boosting"), trials=4)


def rows(minutes: int = 500, hint: float = 1.0) -> Dataset:
    return dataset(*market(minutes, hint=hint), 5)


SAME = """
import hashlib, io, sys
from pathlib import Path
from analytics.models.artifact import Model, save
from analytics.models.families import recipe_of, fitted, scores
from tests.unit.analytics.test_model_search import FAMILIES, rows
data = rows()
for family in FAMILIES:
    made = fitted(recipe_of(family, 7), data.x, data.y)
    digest = save(Model("m", "v", data.features, 0, made), Path(sys.argv[1]) / family)
    print(family, digest, hashlib.sha256(scores(made, data.x).tobytes()).hexdigest())
"""


def made_elsewhere(folder: Path, threads: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    cpus = {min(os.sched_getaffinity(0))} if threads == "1" else os.sched_getaffinity(0)
    return subprocess.run(
        [sys.executable, "-c", SAME, str(folder)],
        cwd=ROOT, env=environment, check=True, capture_output=True, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cpus),
    ).stdout  # fmt: skip


def test_models_are_the_same_to_the_byte_on_one_processor_and_on_several(tmp_path: Path) -> None:
    one, several = made_elsewhere(tmp_path, "1"), made_elsewhere(tmp_path, "4")
    assert len(one.splitlines()) == len(FAMILIES)
    assert one == several


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_finds_what_is_there(family: str) -> None:
    data = rows(800)
    early, late = parted(data, CONFIG)
    recipe = recipe_of(family, 3)  # type: ignore[arg-type]
    said = scores(fitted(recipe, early.x, early.y), late.x)
    assert ((said > 0.5) == (late.y == 1)).mean() > 0.7
    assert set(SPACES[recipe.family]) <= {*DEFAULTS[recipe.family], "C", "learning_rate"}


def test_killed_search_goes_on_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    data = rows()
    whole = Search(tmp_path / "whole")(data, CONFIG)
    code = (
        "import os, signal, sys; from pathlib import Path; from analytics.models.search import Search\n"
        "from tests.unit.analytics.test_model_search import CONFIG, rows\n"
        "def die(done, total):\n    done == 2 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "Search(Path(sys.argv[1]), progress=die)(rows(), CONFIG)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "killed")], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    told: list[tuple[int, int]] = []
    resumed = Search(tmp_path / "killed", progress=lambda done, total: told.append((done, total)))(data, CONFIG)
    assert told == [(2, 4), (3, 4), (4, 4)]
    assert resumed == whole
    assert len(whole.trials) == len(CONFIG.families) + CONFIG.trials
    assert Search(tmp_path / "killed")(data, CONFIG) == whole


def test_best_of_what_was_tried_is_chosen_and_other_rows_are_another_study(tmp_path: Path) -> None:
    data = rows()
    chosen = Search(tmp_path)(data, CONFIG)
    best = min((trial for trial in chosen.trials if trial.state == "complete"), key=lambda trial: trial.log_loss)
    assert chosen.recipe == best.recipe
    assert {len(trial.net) for trial in chosen.trials if trial.state == "complete"} == {32}
    keys = {Bench.of(each, CONFIG, Search(tmp_path).executor).key for each in (data, rows(501))}
    assert len(keys) == 2


def test_search_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OperatingError, match="searches cannot be kept in"):
        Search(tmp_path / "file" / "below")(rows(), CONFIG)


def test_canaries_of_honest_rows_learn_nothing_for_any_seed() -> None:
    early, late = parted(rows(1_000), CONFIG)
    for seed in range(8):
        found = sung(recipe_of("forest", seed), early, late, 5)
        assert found.alarms == ()
        assert found.importance["hint_v1"] > found.importance[NOISE]


def test_rows_that_are_learnt_and_judged_by_at_once_refuse_the_run() -> None:
    data = rows(1_000, hint=0.0)
    recipe = recipe_of("forest", 1, {"max_depth": 20, "min_samples_leaf": 1})
    alarms = sung(recipe, data, data, 1).alarms
    assert len(alarms) >= 1
    assert alarms[0].startswith("leak: shuffled labels are foreseen")


def test_noise_that_knows_the_answer_refuses_the_run() -> None:
    early, late = parted(rows(1_000, hint=0.0), CONFIG)
    answers = np.concatenate([early.y, late.y]).astype(np.float64)
    (alarm,) = sung(recipe_of("logistic", 1), early, late, 1, noise=answers).alarms
    assert "a feature of pure noise adds" in alarm


def test_run_whose_canaries_learn_gives_no_model_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.models.direction.cut", lambda times, *_: (times.ts_ns >= 0, times.ts_ns >= 0))
    config = CONFIG.model_copy(update={"families": ("forest",), "trials": 0, "horizon_bars": 1})
    outcome = fit(rows(1_000, hint=0.0), config)
    assert isinstance(outcome, NoFit)
    assert outcome.refused
    assert outcome.reason.startswith("leak: ")


def test_fit_tells_how_sure_how_calibrated_and_what_it_would_have_earned() -> None:
    found = fit(rows(1_500), CONFIG.model_copy(update={"cost_bps": 1.0}))
    assert isinstance(found, Fit)
    assert found.calibration.ece < 0.1
    assert found.earned.total > 0
    assert found.earned.trades > 30
    dear = fit(rows(1_500), CONFIG.model_copy(update={"cost_bps": 500.0}))
    assert not isinstance(dear, Fit) or dear.earned.total < 0
