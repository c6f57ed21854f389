"""Goal: a real Dask cluster of two processes fits and searches what this process would have, to the byte."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from analytics.models.artifact import Model, save
from analytics.models.cluster import DaskExecutor, engine
from analytics.models.direction import Fit, fit, parted
from analytics.models.executor import HERE, Executor
from analytics.models.families import FitWork, fit_all, recipe_of
from analytics.models.search import Search
from ares.config.training import TrainingConfig
from ares.errors import UsageError
from tests.unit.analytics.test_model_search import CONFIG, FAMILIES, rows

HERE_ONLY = CONFIG.model_copy(update={"trials": 2})
DASK = HERE_ONLY.model_copy(update={"engine": "dask", "dask_workers": 2})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskExecutor]:
    """Two processes; starting them costs more than all that they do here."""
    with engine(DASK, tmp_path_factory.mktemp("cluster")) as executor:
        assert isinstance(executor, DaskExecutor)
        yield executor
    assert not [each for each in psutil.Process().children() if "spawn_main" in " ".join(each.cmdline())]


def digest_of(fitted: Fit, path: Path) -> str:
    return save(Model("m", "v", fitted.features, fitted.train_to_ns, fitted.classifier), path)


def pid_of(_: int) -> int:
    import time  # noqa: PLC0415 - for the process that this is sent to

    time.sleep(0.2)
    return os.getpid()


def dies_once(flag: str) -> str:
    """Ends its process without a word the first time."""
    if not Path(flag).exists():
        Path(flag).write_text("died", encoding="utf-8")
        os._exit(1)
    return "done"


def raises(_: int) -> int:
    raise ValueError("of the piece")


def test_all_families_are_the_same_to_the_byte_wherever_they_are_fitted(cluster: DaskExecutor, tmp_path: Path) -> None:
    data = rows(300)
    works = [FitWork(recipe_of(family, 7), data.x, data.y) for family in FAMILIES]  # type: ignore[arg-type]

    def digests(executor: Executor) -> list[str]:
        return [save(Model("m", "v", data.features, 0, each), tmp_path / "m") for each in fit_all(works, executor)]

    here = digests(HERE)
    assert digests(cluster) == here
    assert len(set(here)) == len(FAMILIES)


def test_search_and_training_end_as_they_do_here_and_go_on_where_another_engine_was_killed(
    cluster: DaskExecutor, tmp_path: Path
) -> None:
    data = rows(400)
    told: list[tuple[int, int]] = []
    whole = fit(data, HERE_ONLY, Search(tmp_path / "here"))
    begun = CONFIG.model_copy(update={"trials": 1})
    Search(tmp_path / "there")(parted(data, CONFIG)[0], begun)
    search = Search(tmp_path / "there", cluster, lambda done, total: told.append((done, total)))
    found = fit(data, DASK, search, cluster)
    assert isinstance(whole, Fit)
    assert isinstance(found, Fit)
    assert found.chosen == whole.chosen, "the same trials, the same figures, the same choice"
    assert told == [(1, 2), (2, 2)]
    assert digest_of(found, tmp_path / "a") == digest_of(whole, tmp_path / "b")
    assert (found.auc, found.log_loss, found.canaries) == (whole.auc, whole.log_loss, whole.canaries)
    assert len({*cluster.map(pid_of, [0, 1, 2, 3])} - {os.getpid()}) == 2, "two processes, and none of them is this"


def test_nothing_listens_beyond_loopback(cluster: DaskExecutor) -> None:
    assert cluster.workers == 2
    there = [psutil.Process(pid) for pid in (os.getpid(), *cluster.map(pid_of, [0, 1, 2, 3]))]
    listening = {
        each.laddr.ip
        for process in there
        for each in process.net_connections(kind="inet")
        if each.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_process_that_dies_is_replaced_and_what_a_piece_raises_is_raised(cluster: DaskExecutor, tmp_path: Path) -> None:
    assert cluster.map(dies_once, [str(tmp_path / "flag")]) == ["done"]
    with pytest.raises(ValueError, match="of the piece"):
        cluster.map(raises, [1])


def test_engine_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    wanted = r"training\.engine = 'dask': distributed is not installed\. pip install 'ares-trading\[dask\]'"
    with pytest.raises(UsageError, match=wanted), engine(DASK, tmp_path):
        raise AssertionError("nobody works")
    with engine(TrainingConfig(), tmp_path) as executor:
        assert executor is HERE
