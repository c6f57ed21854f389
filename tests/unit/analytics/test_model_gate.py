"""Goal: no bad candidate becomes champion, each is told why, and whoever was champion can be so again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from analytics.facts import BarKey, BarValues, Value
from analytics.models.artifact import Model, artifact_path, load, save
from analytics.models.direction import Dataset, Fit, dataset, fit
from analytics.models.events import Staged, standing_of
from analytics.models.examine import Rival, Subject, examine, leaks, schema_faults, settings_of, settings_text
from analytics.models.families import Classifier
from analytics.models.gate import judge
from analytics.models.outcomes import asked_of
from analytics.models.registry import ModelRegistry, Pins
from analytics.models.stages import Stages
from ares.clock import HOUR_NS, SystemClock
from ares.config.training import ModelsConfig, TrainingConfig
from ares.control import ControlStore
from ares.errors import OperatingError, UnknownName, UsageError
from tests.unit.analytics.test_direction import market

CONFIG = TrainingConfig(rows_min=100, horizon_bars=5, cost_bps=1.0)
LIMITS = ModelsConfig(latency_us_max=200_000.0, ece_max=0.15)
MINUTES = 2_400
NOW_NS = MINUTES * 60 * 10**9 + HOUR_NS
WHO = "tester"
Market = tuple[dict[BarKey, dict[str, Value]], dict[BarKey, BarValues]]


def seen(hint: float = 0.4, seed: int = 3) -> Market:
    return market(MINUTES, hint=hint, seed=seed)


def trained(data: Dataset, config: TrainingConfig = CONFIG) -> Fit:
    found = fit(data, config)
    assert isinstance(found, Fit)
    return found


def model_of(found: Fit, version: str) -> Model:
    return Model("direction", version, found.features, found.train_to_ns, found.classifier)


@dataclass
class Candidate:
    """A candidate that would pass, to be spoilt."""

    subject: Subject
    rival: Rival | None

    @classmethod
    def good(cls) -> Candidate:
        data = dataset(*seen(), asked_of(CONFIG))
        found = trained(data)
        recipe, then = settings_of(settings_text(found.chosen.recipe, CONFIG), TrainingConfig())
        views = dict.fromkeys(found.features, "abc")
        subject = Subject(
            model_of(found, "new"),
            "",
            found.features,
            data,
            recipe,
            then,
            "whole",
            "ok",
            NOW_NS - HOUR_NS,
            views,
            views,
        )
        weak = trained(dataset(*seen(hint=0.0, seed=9), asked_of(CONFIG)))
        return cls(subject, Rival(model_of(weak, "old"), data))

    def but(self, **changes: object) -> Candidate:
        return Candidate(replace(self.subject, **changes), self.rival)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def good() -> Candidate:
    return Candidate.good()


def refit(candidate: Candidate, data: Dataset, config: TrainingConfig = CONFIG) -> Candidate:
    """The same trained honestly on other rows."""
    found = trained(data, config)
    return candidate.but(model=model_of(found, "new"), data=data, recipe=found.chosen.recipe, config=config)


class Spoilt:
    """A classifier whose scores are changed."""

    def __init__(self, inner: Classifier, change: Callable[[np.ndarray], np.ndarray]) -> None:  # type: ignore[type-arg]
        self.inner, self.change = inner, change

    def fit(self, x: object, y: object) -> object:
        raise AssertionError("it is fitted already")

    def predict_proba(self, x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        ones = self.change(self.inner.predict_proba(x)[:, 1])
        return np.column_stack([1 - ones, ones])


def spoil(candidate: Candidate, change: Callable[[np.ndarray], np.ndarray]) -> Candidate:  # type: ignore[type-arg]
    model = candidate.subject.model
    assert model is not None
    return candidate.but(model=replace(model, classifier=Spoilt(model.classifier, change)))


def leak(good: Candidate, _: Path) -> Candidate:
    features, bars = seen()
    for key, values in features.items():
        later = bars[BarKey("A", key.ts_ns + 5 * 60 * 10**9)].close
        values["hint_v1"] = float(later or 0) / float(bars[key].close or 1) - 1.0
    return refit(good, dataset(features, bars, asked_of(CONFIG)))


def look_ahead(good: Candidate, _: Path) -> Candidate:
    return good.but(looks_ahead=("hint_v1",))


def stale(good: Candidate, _: Path) -> Candidate:
    return good.but(data_to_ns=NOW_NS - 25 * HOUR_NS)


def gap(good: Candidate, _: Path) -> Candidate:
    return good.but(gaps="gaps")


def missing_feature(good: Candidate, _: Path) -> Candidate:
    return good.but(features=(*good.subject.features, "spread_v1"))


def changed_view(good: Candidate, _: Path) -> Candidate:
    return good.but(deployed={**good.subject.deployed, "hint_v1": "other"})


def worse(good: Candidate, _: Path) -> Candidate:
    assert good.rival is not None
    weak = trained(dataset(*seen(hint=0.0, seed=11), asked_of(CONFIG)))
    strong = good.subject.model
    assert strong is not None
    spoilt = good.but(model=model_of(weak, "new"))
    return Candidate(spoilt.subject, Rival(replace(strong, version="old"), good.rival.data))


def slow(good: Candidate, _: Path) -> Candidate:
    return good


def uncalibrated(good: Candidate, _: Path) -> Candidate:
    return spoil(good, lambda ones: np.where(ones > 0.5, 0.999, 0.001))


def few_trades(good: Candidate, _: Path) -> Candidate:
    return spoil(good, lambda ones: 0.55 + ones * 0.01)


def drifted(good: Candidate, _: Path) -> Candidate:
    features, bars = seen()
    rng = random.Random(4)
    for key in sorted(features)[-300:]:
        features[key]["noise_v1"] = rng.gauss(8, 1)
    return refit(good, dataset(features, bars, asked_of(CONFIG)))


def failed_quality(good: Candidate, _: Path) -> Candidate:
    return good.but(quality="fail")


def altered(good: Candidate, folder: Path) -> Candidate:
    model = good.subject.model
    assert model is not None
    path = artifact_path(folder, "direction", "new")
    digest = save(model, path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(OperatingError) as trouble:
        load(path, digest, "new")
    return good.but(model=None, artifact=str(trouble.value))


def not_deterministic(good: Candidate, _: Path) -> Candidate:
    return spoil(good, lambda ones: ones + np.linspace(0, 1e-4, len(ones)))


def too_few_rows(good: Candidate, _: Path) -> Candidate:
    assert good.subject.model is not None
    return good.but(model=replace(good.subject.model, train_to_ns=(MINUTES - 60) * 60 * 10**9))


BAD = {
    leak: "foresight", look_ahead: "leak", stale: "age", gap: "gaps", missing_feature: "schema", changed_view: "schema",
    worse: "log_loss", slow: "latency", uncalibrated: "calibration", few_trades: "trades", drifted: "drift",
    failed_quality: "quality", altered: "artifact", not_deterministic: "reproduced", too_few_rows: "rows",
}  # fmt: skip


@pytest.fixture
def stages(control: ControlStore, tmp_path: Path, venue: str) -> Stages:
    """A model of this test alone, with two versions that the registry holds."""
    registry = ModelRegistry.of(ModelsConfig(), tmp_path)
    file = tmp_path / "model.joblib"
    file.write_bytes(b"a model")
    made = Stages(control, registry, SystemClock(), f"m_{venue}", [])
    for version in ("old", "new"):
        run_id = registry.register(Pins(made.model, version, "00", {"dataset": "d@1"}, {"auc": 0.51}), file)
        made.tell(version, "registered", "made for a test", WHO, run_id)
    made.place("old", "champion", "the first", WHO)
    return made


def test_bad_candidates_are_refused_each_with_its_reason_and_none_is_promoted(
    good: Candidate, stages: Stages, tmp_path: Path
) -> None:
    promoted = 0
    for spoilt, check in BAD.items():
        candidate = spoilt(good, tmp_path)
        limits = LIMITS.model_copy(update={"latency_us_max": 0.001}) if spoilt is slow else LIMITS
        evidence = examine(candidate.subject, candidate.rival, NOW_NS, SystemClock().monotonic_s)
        findings = judge(evidence, limits)
        failed = [finding.check for finding in findings if not finding.passed]
        assert check in failed, (spoilt.__name__, failed)
        promoted += stages.decide("new", findings, "champion", "trying", WHO)
        said = stages.rows[-1]
        assert said.symbols["event"] == "refused"
        assert f"{check}: refused" in str(said.columns["reason"])
    assert promoted == 0
    assert len(BAD) >= 12
    assert stages.registry.at(stages.model, "champion") == "old"
    assert stages.standing.champion == "old"


def test_good_candidate_is_promoted_and_rolled_back(good: Candidate, stages: Stages) -> None:
    findings = judge(examine(good.subject, good.rival, NOW_NS, SystemClock().monotonic_s), LIMITS)
    assert [finding.text for finding in findings if not finding.passed] == []
    assert stages.decide("new", findings, "champion", "it is better", WHO)
    assert stages.registry.at(stages.model, "champion") == stages.standing.champion == "new"
    began_s = SystemClock().monotonic_s()
    assert stages.rollback("it is worse after all", WHO) == "old"
    assert SystemClock().monotonic_s() - began_s < 60
    assert stages.registry.at(stages.model, "champion") == stages.standing.champion == "old"
    steps = [(row.symbols["version"], row.symbols["event"]) for row in stages.rows[2:]]
    assert steps == [
        ("old", "champion"), ("old", "demoted"), ("new", "champion"), ("new", "demoted"), ("old", "rolled_back"),
    ]  # fmt: skip
    assert [row.columns["seq"] for row in stages.rows] == list(range(1, 8))
    with pytest.raises(UsageError, match="no earlier champion"):
        stages.rollback("once more", WHO)


def test_every_step_is_audited_with_who_and_why(stages: Stages, control: ControlStore) -> None:
    stages.place("new", "challenger", "shadow", "somebody")
    *_, last = control.audit_links()
    assert ("somebody" in str(last), "shadow" in str(last)) == (True, True)
    assert stages.standing.challenger == "new"
    assert stages.registry.at(stages.model, "challenger") == "new"
    stages.place("new", "champion", "it is better", "somebody")
    assert stages.standing.challenger is None


def test_rollback_to_a_version_that_never_was_champion_names_those_that_were(stages: Stages) -> None:
    stages.place("new", "champion", "next", WHO)
    with pytest.raises(UsageError, match=r"was not champion before\. These were: old"):
        stages.rollback("why not", WHO, to="other")


def test_version_that_the_registry_does_not_hold_is_named(stages: Stages) -> None:
    with pytest.raises(UnknownName, match="nine"):
        stages.place("nine", "champion", "why not", WHO)
    assert stages.standing.champion == "old"


def test_champion_that_only_the_registry_knows_is_told_to_the_log(stages: Stages) -> None:
    stages.registry.point(stages.model, "champion", "new")  # and then the process died
    assert stages.settle("startup")
    assert stages.standing.champion == "new"
    assert not stages.settle("startup")


def test_file_that_is_lost_comes_back_from_the_registry(stages: Stages, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "model.joblib"
    stages.registry.restore(stages.model, "old", path)
    assert path.read_bytes() == b"a model"
    assert stages.registry.pinned(stages.model, "old")["dataset"] == "d@1"


def test_registry_that_cannot_be_opened_is_an_operating_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(OperatingError, match="registry of models"):
        ModelRegistry.of(ModelsConfig(), tmp_path)


def test_settings_of_a_fit_are_read_back_as_they_were() -> None:
    config = CONFIG.model_copy(update={"families": ("forest",), "seed": 5, "label": "triple_barrier"})
    found = trained(dataset(*seen(), asked_of(config)), config)
    recipe, then = settings_of(settings_text(found.chosen.recipe, config), TrainingConfig())
    assert recipe == found.chosen.recipe
    assert asked_of(then) == asked_of(config)
    assert (then.seed, then.test_share) == (5, config.test_share)


def test_signal_that_a_meta_label_follows_must_be_as_it_was_and_know_no_future(good: Candidate) -> None:
    said = {"label": "meta", "meta_signal": "signal_x_v1", "model": "pays"}
    meta = TrainingConfig.model_validate({**good.subject.config.model_dump(), **said})
    views = {**good.subject.recorded, "signal_x_v1": "abc"}
    whole = replace(good.subject, config=meta, recorded=views, deployed=views)
    assert schema_faults(whole) == ()
    assert schema_faults(replace(whole, deployed={**views, "signal_x_v1": "other"})) == ("signal_x_v1 has changed",)
    assert "signal_x_v1 looks ahead" in leaks(replace(whole, looks_ahead=("signal_x_v1",)))
    assert leaks(replace(good.subject, looks_ahead=("signal_x_v1",))) == [], "others do not read it"
    assert settings_of(settings_text(whole.recipe, meta), TrainingConfig(model="pays"))[1].meta_signal == "signal_x_v1"


def test_standing_follows_the_steps() -> None:
    assert standing_of([]).champion is None
    assert Staged("m", "v", "champion", "", "", "").event == "champion"
