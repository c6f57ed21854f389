"""Chooses between families and numbers by walk-forward before the test, and goes on where a killed search was.

Optuna keeps the study; each trial draws from a generator of its own number, so that a search that was killed and one
that was not try the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import numpy as np

from analytics.models.arrays import Floats, Ints
from analytics.models.calibration import log_losses
from analytics.models.direction import Chosen, Dataset, Trial
from analytics.models.earning import earned_by_symbol
from analytics.models.executor import HERE, Executor
from analytics.models.families import SPACES, Recipe, fitted, recipe_of, scores
from analytics.models.folds import walk_forward
from analytics.models.outcomes import asked_of
from analytics.models.overfit import BLOCKS, sharpe
from ares.clock import MINUTE_NS
from ares.config.training import Family, TrainingConfig
from ares.errors import OperatingError

if TYPE_CHECKING:
    import optuna

STUDIES_KEPT = 5
NET_BLOCKS = BLOCKS * 4
"""What a trial earned is kept by as many blocks of time: halves of them tell luck from skill."""
PRUNE_AFTER_TRIALS = 5

Progress = Callable[[int, int], None]


def quiet(_done: int, _total: int) -> None:
    """Tell nobody how far a search is."""


class Work(NamedTuple):
    """A recipe and the rows to try it on."""

    recipe: Recipe
    x: Floats
    y: Ints
    x_test: Floats


class Following(NamedTuple):
    """What following scores won, over the tests of all folds."""

    change: Floats
    side: Floats
    symbol: Ints


def score_work(work: Work) -> Floats:
    """The scores of a fold's test; a function of its own so that it can be sent elsewhere."""
    return scores(fitted(work.recipe, work.x, work.y), work.x_test)


@dataclass(slots=True)
class Search:
    """A `Chooser`. Studies lie in `folder`; `progress` hears of every trial. Raises `OperatingError` (the folder)."""

    folder: Path
    executor: Executor = HERE
    progress: Progress = quiet

    def __call__(self, early: Dataset, config: TrainingConfig) -> Chosen:
        if not config.trials and len(config.families) == 1:
            return Chosen(recipe_of(config.families[0], config.seed))
        bench = Bench.of(early, config, self.executor)
        if not bench.folds:
            return Chosen(recipe_of(config.families[0], config.seed))
        tried = [self._plain(bench, n, family) for n, family in enumerate(config.families)]
        if config.trials:
            tried += self._studied(bench, config, len(tried))
        whole = [trial for trial in tried if trial.state == "complete"]
        best = min(whole, key=lambda trial: (trial.log_loss, trial.number))
        return Chosen(best.recipe, tuple(tried))

    def _plain(self, bench: Bench, number: int, family: Family) -> Trial:
        return bench.tried(number, recipe_of(family, bench.config.seed), lambda _step, _loss: False)

    def _studied(self, bench: Bench, config: TrainingConfig, first: int) -> list[Trial]:
        study = self._study(bench.key)
        for number in range(len(_ended(study)), config.trials):
            self.progress(number, config.trials)
            self._ask(study, bench, number)
        self.progress(config.trials, config.trials)
        ended = _ended(study)[: config.trials]
        return [trial_of(trial, first + number, config.seed) for number, trial in enumerate(ended)]

    def _ask(self, study: optuna.Study, bench: Bench, number: int) -> None:
        from optuna.samplers import TPESampler  # noqa: PLC0415 - takes a second; most trainings do not search
        from optuna.trial import TrialState  # noqa: PLC0415 - as above

        seed = bench.config.seed
        study.sampler = TPESampler(seed=seed * 1_000_003 + number, n_startup_trials=PRUNE_AFTER_TRIALS)
        trial = study.ask()
        family = cast("Family", trial.suggest_categorical("family", list(bench.config.families)))
        params = {name: _suggested(trial, family, name) for name in SPACES[family]}

        def hopeless(step: int, loss: float) -> bool:
            trial.report(loss, step)
            return trial.should_prune()

        tried = bench.tried(number, recipe_of(family, seed, params), hopeless)
        kept = {"losses": list(tried.losses), "net": list(tried.net), "state": tried.state, "sharpe": tried.sharpe}
        for name, value in kept.items():
            trial.set_user_attr(name, value)
        if tried.state == "complete":
            study.tell(trial, tried.log_loss)
        else:
            study.tell(trial, state=TrialState.PRUNED)

    def _study(self, key: str) -> optuna.Study:
        """The study of these rows and settings; what a killed process had begun is begun anew."""
        import optuna  # noqa: PLC0415 - takes a second; most trainings do not search

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            kept = sorted(self.folder.glob("*.db"), key=lambda file: file.stat().st_mtime)
            for old in [file for file in kept if file.stem != key][: max(0, len(kept) - STUDIES_KEPT + 1)]:
                old.unlink()
        except OSError as error:
            raise OperatingError(f"searches cannot be kept in {self.folder}: {error.strerror or error}") from None
        study = optuna.create_study(
            storage=f"sqlite:///{self.folder / key}.db",
            study_name=key,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=PRUNE_AFTER_TRIALS, n_warmup_steps=0),
        )
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        return study


@dataclass(frozen=True, slots=True)
class Bench:
    """What every recipe is tried on."""

    data: Dataset
    config: TrainingConfig
    executor: Executor
    folds: Sequence[tuple[Dataset, Dataset]]

    @classmethod
    def of(cls, early: Dataset, config: TrainingConfig, executor: Executor) -> Bench:
        """The folds in which both outcomes occur."""
        parts = walk_forward(early.times, config.folds, config.embargo_bars * MINUTE_NS)
        folds = [(early.part(fold.train), early.part(fold.test)) for fold in parts]
        return cls(early, config, executor, [pair for pair in folds if len(np.unique(pair[0].y)) > 1])

    @property
    def key(self) -> str:
        """Stands for the rows and for every setting that changes what a trial is."""
        config = self.config
        said = (config.families, config.seed, config.folds, config.embargo_bars, asked_of(config))
        digest = sha256(repr((said, self.data.features)).encode())
        for array in (self.data.x, self.data.y, self.data.ts_ns):
            digest.update(array.tobytes())
        return digest.hexdigest()[:24]

    def tried(self, number: int, recipe: Recipe, hopeless: Callable[[int, float], bool]) -> Trial:
        """Try a recipe fold by fold, until somebody sees that it is hopeless.

        Many workers do later folds before it is known whether they are wanted; what is not is not counted.
        """
        losses: list[float] = []
        judged: list[Floats] = []
        ready: list[Floats] = []
        for step, (_, test) in enumerate(self.folds):
            if step == len(ready):
                next_ = self.folds[step : step + self.executor.workers]
                ready += self.executor.map(score_work, [Work(recipe, a.x, a.y, b.x) for a, b in next_])
            said = ready[step]
            losses.append(float(log_losses(test.y, said).mean()))
            judged.append(said)
            if hopeless(step, sum(losses) / len(losses)) and step + 1 < len(self.folds):
                return Trial(number, recipe, "pruned", tuple(losses))
        net = self._net(np.concatenate(judged))
        blocks = tuple(float(block.mean()) for block in np.array_split(net, NET_BLOCKS) if len(block))
        return Trial(number, recipe, "complete", tuple(losses), blocks, sharpe(net))

    def _net(self, said: Floats) -> Floats:
        tests = [test for _, test in self.folds]
        columns = [[getattr(test, name) for test in tests] for name in Following._fields]
        rows = Following(*(np.concatenate(column) for column in columns))
        return earned_by_symbol(said, rows, asked_of(self.config).terms).net


def trial_of(trial: optuna.trial.FrozenTrial, number: int, seed: int) -> Trial:
    """A trial of a study, however long ago it was."""
    family = cast("Family", trial.params["family"])
    params = {name.split(".")[1]: value for name, value in trial.params.items() if name.startswith(f"{family}.")}
    said = trial.user_attrs
    losses, net = (tuple(said[name]) for name in ("losses", "net"))
    state: Literal["complete", "pruned"] = "complete" if said["state"] == "complete" else "pruned"
    return Trial(number, recipe_of(family, seed, params), state, losses, net, float(said["sharpe"]))


def _suggested(trial: optuna.Trial, family: Family, name: str) -> float | int:
    space = SPACES[family][name]
    label = f"{family}.{name}"
    if space.whole:
        return trial.suggest_int(label, int(space.low), int(space.high), log=space.log)
    return trial.suggest_float(label, space.low, space.high, log=space.log)


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that came to an end, in order; one that a killed process had begun is none of them."""
    return [trial for trial in study.trials if trial.state.name in {"COMPLETE", "PRUNED"}]
