"""Goal: a model learns only from the past, is judged only by the future, and says so when there is too little of it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from analytics.facts import BarKey, BarValues, Stamp, Value
from analytics.models.artifact import Model, artifact_path, load, save
from analytics.models.direction import Fit, NoFit, dataset, fit, probabilities
from analytics.models.earning import earned_by_symbol
from analytics.models.outcomes import Asked, asked_of, outcomes_of
from analytics.scoring import prediction
from analytics.serving import Score
from analytics.training import left_out_text, version_of
from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.config.training import TrainingConfig
from ares.errors import OperatingError

CONFIG = TrainingConfig(rows_min=100, horizon_bars=5, embargo_bars=10, test_share=0.25)


def bar(close: float | None) -> BarValues:
    return BarValues("traded" if close else "gap", "trades", close, close, close, close, 1.0, 1.0, 1, 0.5)


def market(
    minutes: int, *, hint: float, seed: int = 3
) -> tuple[dict[BarKey, dict[str, Value]], dict[BarKey, BarValues]]:
    """A random walk, and a feature that knows its next five minutes by `hint` (0 = nothing, 1 = all)."""
    rng = random.Random(seed)
    closes = [100.0]
    for _ in range(minutes + 5):
        closes.append(closes[-1] * (1 + rng.gauss(0, 1e-3)))
    bars = {BarKey("A", n * MINUTE_NS): bar(close) for n, close in enumerate(closes)}
    features: dict[BarKey, dict[str, Value]] = {}
    for n in range(minutes):
        knows = hint * (closes[n + 5] / closes[n] - 1) * 1_000
        features[BarKey("A", n * MINUTE_NS)] = {"hint_v1": knows + rng.gauss(0, 1), "noise_v1": rng.gauss(0, 1)}
    return features, bars


def test_informative_feature_is_found_and_noise_is_not() -> None:
    good = fit(dataset(*market(1_500, hint=1.0), 5), CONFIG)
    poor = fit(dataset(*market(1_500, hint=0.0), 5), CONFIG)
    assert isinstance(good, Fit)
    assert isinstance(poor, Fit)
    assert good.auc > 0.8
    assert abs(poor.auc - 0.5) < 0.1
    assert good.log_loss < poor.log_loss


def test_training_ends_an_embargo_before_the_test_begins() -> None:
    data = dataset(*market(400, hint=1.0), 5)
    fitted = fit(data, CONFIG)
    assert isinstance(fitted, Fit)
    test_from_ns = int(np.unique(data.ts_ns)[round(400 * 0.75)])
    assert fitted.train_to_ns < test_from_ns - CONFIG.embargo_bars * MINUTE_NS
    assert fitted.rows + fitted.rows_test < len(data.y)
    assert fitted.rows_test == 100


def test_same_seed_gives_the_same_model() -> None:
    data = dataset(*market(300, hint=0.5), 5)
    first, second = fit(data, CONFIG), fit(data, CONFIG)
    assert isinstance(first, Fit)
    assert isinstance(second, Fit)
    rows = [[0.5, 0.1], [-2.0, 3.0]]
    assert probabilities(first.classifier, rows) == probabilities(second.classifier, rows)
    assert probabilities(first.classifier, []) == []


def test_too_few_rows_are_told_with_the_setting_that_asks_for_more() -> None:
    outcome = fit(dataset(*market(50, hint=1.0), 5), CONFIG)
    assert outcome == NoFit("50 complete rows, fewer than training.rows_min = 100", 50)


def test_market_that_only_rises_gives_no_model() -> None:
    bars = {BarKey("A", n * MINUTE_NS): bar(100.0 + n) for n in range(306)}
    features: dict[BarKey, dict[str, Value]] = {BarKey("A", n * MINUTE_NS): {"f_v1": float(n)} for n in range(300)}
    outcome = fit(dataset(features, bars, 5), CONFIG)
    assert isinstance(outcome, NoFit)
    assert outcome.reason.startswith("only one outcome among the")


def test_no_history_at_all_is_no_error() -> None:
    data = dataset({}, {}, 5)
    assert fit(data, CONFIG) == NoFit("0 complete rows, fewer than training.rows_min = 100", 0)
    assert data.null_share == 1.0


def test_feature_that_is_mostly_null_is_left_out_and_reported() -> None:
    features, bars = market(200, hint=1.0)
    for n, values in enumerate(features.values()):
        values["spread_v1"] = 0.1 if n % 10 == 0 else None
        values["noise_v1"] = None if n % 10 == 0 else values["noise_v1"]
    data = dataset(features, bars, 5)
    assert data.features == ("hint_v1", "noise_v1")
    assert len(data.y) == 180, "a bar with a missing feature teaches nothing"
    assert data.left_out == {"spread_v1": pytest.approx(0.9)}
    assert left_out_text(data) == "left out: spread_v1 (90% NULL)"
    assert data.null_share == pytest.approx((0.0 + 0.1 + 0.9) / 3)


def test_bar_whose_outcome_is_unknown_or_unmoved_has_no_label() -> None:
    bars = {BarKey("A", 0): bar(1.0), BarKey("A", 5 * MINUTE_NS): bar(1.0), BarKey("A", 6 * MINUTE_NS): bar(None)}
    for horizon in (5, 6, 7):
        assert outcomes_of(bars, Asked(horizon)) == {}
    known = outcomes_of(bars | {BarKey("A", MINUTE_NS): bar(2.0), BarKey("B", 0): bar(9.0)}, Asked(1))
    assert known == {BarKey("A", 0): (1, MINUTE_NS, 1.0, 1.0)}


def test_triple_barrier_and_costs_are_asked_for_by_the_settings() -> None:
    features, bars = market(200, hint=1.0)
    asked = asked_of(CONFIG.model_copy(update={"label": "triple_barrier", "barrier_share": 0.001, "cost_bps": 5.0}))
    data = dataset(features, bars, asked)
    assert set(data.end_ns - data.ts_ns) <= {n * MINUTE_NS for n in range(1, 6)}
    assert min(data.end_ns - data.ts_ns) == MINUTE_NS
    assert ((data.change > 0.0005) == (data.y == 1)).all()


META = {"model": "pays", "label": "meta", "meta_signal": "signal_x_v1"}


def followed(minutes: int, hint: float) -> tuple[dict[BarKey, dict[str, Value]], dict[BarKey, BarValues]]:
    """A signal that is long, short or neither by lot, and a feature that knows by `hint` whether following it pays."""
    features, bars = market(minutes, hint=0.0)
    rng = random.Random(5)
    for key, values in features.items():
        side = rng.choice([0.7, -0.3, 0.0])
        later = bars[BarKey("A", key.ts_ns + 5 * MINUTE_NS)].close
        won = np.sign(side) * (float(later or 0) / float(bars[key].close or 1) - 1)
        values.update({"signal_x_v1": side, "pays_v1": hint * won * 1_000 + rng.gauss(0, 1)})
    return features, bars


def test_meta_label_asks_whether_following_a_signal_pays_and_its_column_is_no_feature() -> None:
    features, bars = followed(600, hint=1.0)
    config = TrainingConfig.model_validate({**CONFIG.model_dump(), **META, "cost_bps": 5.0})
    data = dataset(features, bars, asked_of(config))
    assert data.features == ("hint_v1", "noise_v1", "pays_v1")
    sides = [float(str(features[BarKey("A", int(ts_ns))]["signal_x_v1"])) for ts_ns in data.ts_ns]
    assert data.side.tolist() == np.sign(sides).tolist()
    assert 0.0 not in sides, "who wants nothing cannot be followed"
    assert len(data.y) == sum(values["signal_x_v1"] != 0.0 for values in features.values())
    closes = {key.ts_ns: float(bar_.close or 0) for key, bar_ in bars.items()}
    rises = np.array([closes[int(t) + 5 * MINUTE_NS] / closes[int(t)] - 1 for t in data.ts_ns])
    assert data.change == pytest.approx(np.sign(sides) * rises)
    assert (data.y == (data.change > 0.0005)).all()
    timed = asked_of(config.model_copy(update={"meta_outcome": "triple_barrier", "barrier_share": 0.001}))
    assert min(dataset(features, bars, timed).end_ns - data.ts_ns) == MINUTE_NS


def test_model_that_knows_when_a_signal_pays_follows_it_then_and_never_goes_against_it() -> None:
    config = TrainingConfig.model_validate({**CONFIG.model_dump(), **META})
    data = dataset(*followed(2_000, hint=1.0), asked_of(config))
    good = fit(data, config)
    assert isinstance(good, Fit)
    assert good.auc > 0.75
    assert good.earned.total > 0
    terms = asked_of(config).terms
    never = earned_by_symbol(np.zeros(len(data.y)), data, terms)
    assert (never.total, never.trades) == (0.0, 0), "a low score holds nothing"
    always = earned_by_symbol(np.ones(len(data.y)), data, terms)
    assert always.total == pytest.approx(float(data.change.sum()) / 5)
    assert always.trades == 1 + int((np.diff(data.side) != 0).sum())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"meta_signal": None}, "Name it in meta_signal"),
        ({"model": "direction"}, "Give the model another name"),
        ({"meta_signal": "momentum_15_v1"}, "should match pattern"),
    ],
)
def test_meta_label_that_is_not_whole_is_refused_with_the_way_out(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TrainingConfig.model_validate({**META, **changes})


def a_model() -> Model:
    fitted = fit(dataset(*market(200, hint=1.0), 5), CONFIG)
    assert isinstance(fitted, Fit)
    return Model("direction", "v1", fitted.features, fitted.train_to_ns, fitted.classifier)


def test_model_reads_back_as_it_was_kept(tmp_path: Path) -> None:
    path = artifact_path(tmp_path, "direction", "v1")
    model = a_model()
    digest = save(model, path)
    found = load(path, digest, "v1")
    assert (found.version, found.features, found.train_to_ns) == (model.version, model.features, model.train_to_ns)
    rows = [[0.1, 0.2]]
    assert probabilities(found.classifier, rows) == probabilities(model.classifier, rows)
    assert [file.name for file in path.parent.iterdir()] == ["v1.joblib"]


def test_artifact_of_one_fit_is_the_same_to_the_byte_under_every_version(tmp_path: Path) -> None:
    first, second = (replace(a_model(), version=version) for version in ("v1", "v2"))
    path = artifact_path(tmp_path, "direction", "v1")
    assert save(first, path) == save(second, artifact_path(tmp_path, "direction", "v2"))


def test_altered_artifact_is_never_unpickled(tmp_path: Path) -> None:
    path = artifact_path(tmp_path, "direction", "v1")
    digest = save(a_model(), path)
    path.write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(OperatingError, match="is not the one that was recorded"):
        load(path, digest, "v1")


def test_missing_artifact_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatingError, match=r"v9\.joblib cannot be read"):
        load(artifact_path(tmp_path, "direction", "v9"), "", "v9")


def test_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(OperatingError, match="cannot be written"):
        save(a_model(), artifact_path(tmp_path, "direction", "v1"))


def test_prediction_says_who_when_and_how_sure() -> None:
    now_ns = 1_000 * MINUTE_NS + 62 * NANOS_PER_SECOND
    score = Score(BarKey("BTC/USDT", 1_000 * MINUTE_NS), a_model(), "challenger", 0.6, served=False)
    row = prediction(score, Stamp("sim", now_ns, NANOS_PER_SECOND))
    assert row.symbols["version"] == "v1"
    assert (row.symbols["role"], row.columns["served"]) == ("challenger", False)
    assert row.symbols["known_at_kind"] == "live"
    assert (row.columns["score"], row.columns["known_at"]) == (0.6, now_ns)


def test_versions_sort_by_time() -> None:
    assert version_of(0) == "19700101T000000.000"
    assert version_of(1_234_567_890) < version_of(1_235_567_890)
