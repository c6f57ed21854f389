"""Goal: an errand is begun by one runner at most, once, and who has begun it says so or it is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_SECOND
from ares.commands.on_behalf import asked_by
from ares.commands.who import operator
from ares.config import load_config
from ares.control import ControlStore
from ares.control.errands import End, ErrandStore, Hold, Wish
from ares.control.second_copy import copied_after, doubled
from ares.errors import LeaseLost, UsageError
from ares.model.progress import Progress, logged, told
from ares.security.access.roles import Permission, Role, Scope
from ares.security.access.state import User
from ares.service.errands.asker import VARIABLE, Pass
from ares.service.errands.registry import errand, errands
from ares.service.errands.runner import prune
from ares.service.errands.spec import may

S = NANOS_PER_SECOND
ONE, OTHER = Hold("one", 10.0), Hold("other", 10.0)
RUNNERS = 8


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'control.db'}"


@pytest.fixture
def control(url: str) -> Iterator[ControlStore]:
    store = ControlStore.open(url)
    yield store
    store.close()


@pytest.fixture
def store(control: ControlStore) -> ErrandStore:
    return ErrandStore(control)


def wish(name: str = "e1") -> Wish:
    return Wish(name, "job", {"job": "leaks"}, "maria")


def state_of(store: ErrandStore, name: str = "e1") -> tuple[str, str]:
    found = store.get(name)
    assert found is not None
    return found.state, found.error


def test_of_many_runners_one_begins_an_errand(url: str, store: ErrandStore) -> None:
    store.ask(wish(), 0, 9)
    begun: list[str] = []

    def run(name: str) -> None:
        control = ControlStore.open(url)
        if ErrandStore(control).take("e1", Hold(name, 10.0), "h", S):
            begun.append(name)
        control.close()

    threads = [threading.Thread(target=run, args=(f"r{number}",)) for number in range(RUNNERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1


def test_steps_are_rows_in_order_at_moments_of_their_own(control: ControlStore, store: ErrandStore) -> None:
    store.ask(wish(), 5, 9)
    store.take("e1", ONE, "h", 5)
    store.tell("e1", ONE, 5, "playing", 0.5)
    store.end("e1", ONE, 5, End("done", {"rows": 1}))
    rows = [entry.row for entry in control.outbox(0, 10)]
    assert [row.columns["seq"] for row in rows] == [1, 2, 3, 4]
    assert [row.ts_ns for row in rows] == [5, 6, 7, 8]
    assert rows[-1].symbols == {"kind": "job", "state": "done", "asked_by": "maria"}
    assert (rows[-1].columns["share"], rows[-1].columns["outcome"]) == (0.5, '{"rows":1}')
    assert store.open() == []


def test_who_fell_silent_has_lost_it_and_cannot_end_it(store: ErrandStore) -> None:
    store.ask(wish(), 0, 9)
    store.take("e1", ONE, "h", 0)
    store.renew("e1", ONE, 5 * S)
    assert store.give_up("other", 15 * S, 3_600) == []
    (lost,) = store.give_up("other", 15 * S + 1, 3_600)
    assert (lost.state, lost.who) == ("lost", "other")
    with pytest.raises(LeaseLost, match="e1 is lost, and no longer of one"):
        store.end("e1", ONE, 16 * S, End("done"))
    with pytest.raises(LeaseLost):
        store.renew("e1", ONE, 16 * S)
    assert store.take("e1", OTHER, "h", 17 * S) is None
    assert state_of(store)[0] == "lost"


def test_another_runner_cannot_speak_of_what_is_not_its_own(store: ErrandStore) -> None:
    store.ask(wish(), 0, 9)
    store.take("e1", ONE, "h", 0)
    with pytest.raises(LeaseLost):
        store.tell("e1", OTHER, 1, "playing", None)
    with pytest.raises(LeaseLost):
        store.end("e1", OTHER, 1, End("done"))


def test_cancelled_before_it_began_it_is_over_and_after_that_its_runner_ends_it(store: ErrandStore) -> None:
    store.ask(wish(), 0, 9)
    store.cancel("e1", "maria", 1)
    assert store.take("e1", ONE, "h", 2) is None
    store.ask(wish("e2"), 0, 9)
    store.take("e2", ONE, "h", 2)
    store.cancel("e2", "root", 3)
    now = store.renew("e2", ONE, 4)
    assert (now.state, now.who) == ("cancelling", "root")
    store.tell("e2", ONE, 5, "playing", 0.1)
    assert state_of(store, "e2")[0] == "cancelling"
    assert store.cancel("nobody", "root", 5) is None


def test_what_nobody_begins_in_time_is_not_begun_and_too_many_are_refused(store: ErrandStore) -> None:
    store.ask(wish(), 0, 1)
    assert store.ask(wish("e2"), 0, 1) is None
    store.give_up("one", 60 * S + 1, 60)
    assert state_of(store) == ("failed", "nobody began it within 60 s. Ask again")
    assert store.take("e1", ONE, "h", 61 * S) is None
    assert store.ask(wish("e2"), 0, 1) is not None


def test_in_a_store_made_of_the_second_copy_nothing_is_begun_again(tmp_path: Path) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    control = ControlStore.open(doubled(f"sqlite:///{tmp_path / 'control.db'}", folder, "refuse"))
    store = ErrandStore(control)
    for name in ("ended", "running", "asked"):
        store.ask(wish(name), 0, 9)
    store.take("ended", ONE, "h", 1)
    store.end("ended", ONE, 2, End("done"))
    store.take("running", ONE, "h", 1)
    control.close()
    restored = ControlStore.open(f"sqlite:///{tmp_path / 'restored.db'}")
    for transaction in copied_after(folder, 0):
        restored.put_copied(transaction)
    again = ErrandStore(restored)
    again.give_up("one", 3, 3_600)
    assert [state_of(again, name)[0] for name in ("ended", "running", "asked")] == ["done", "lost", "asked"]
    assert [each.id for each in again.open()] == ["asked"]
    restored.close()


def test_a_process_speaks_for_its_asker_with_the_token_of_an_errand_that_is_held(
    tmp_path: Path, store: ErrandStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(environ={"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path)})
    assert asked_by(config) == operator()
    shown = Pass.new("e1")
    store.ask(wish(), 0, 9)
    monkeypatch.setenv(VARIABLE, shown.text)
    with pytest.raises(UsageError, match="names no errand"):
        asked_by(config)
    store.take("e1", Hold("one", 10.0**9 * 8), shown.hash, S)
    assert asked_by(config) == "maria"
    for forged in ("e1:", "e1", "e2:" + shown.token, "e1:guess", ":"):
        monkeypatch.setenv(VARIABLE, forged)
        with pytest.raises(UsageError, match="names no errand"):
            asked_by(config)
    monkeypatch.setenv(VARIABLE, shown.text)
    store.end("e1", Hold("one", 1), 2 * S, End("done"))
    with pytest.raises(UsageError):
        asked_by(config)
    assert shown.token not in repr(shown)


def test_who_may_no_longer_is_asked_again_before_it_is_begun() -> None:
    spec = errand("backtest")
    backtest = spec.arguments.model_validate({"strategy": "trend", "from": "2024-01-01", "to": "2024-01-02"})
    trader = User("maria", seq=1, role=Role.TRADER, enabled=True)
    assert may(trader, spec, backtest, "spot-1")
    assert not may(User("maria"), spec, backtest, "spot-1")
    assert not may(User("maria", seq=1, role=Role.TRADER, enabled=False), spec, backtest, "spot-1")
    assert not may(User("maria", seq=1, role=Role.VIEWER, enabled=True), spec, backtest, "spot-1")
    confined = User("maria", seq=1, role=Role.TRADER, enabled=True, scope=Scope(strategies=frozenset({"other"})))
    assert not may(confined, spec, backtest, "spot-1")
    of_models = errand("model-rollback")
    rollback = of_models.arguments.model_validate({"model": "direction", "reason": "why"})
    assert not may(confined, of_models, rollback, "spot-1")
    elsewhere = replace(confined, scope=Scope(accounts=frozenset({"spot-2"})))
    assert not may(elsewhere, of_models, rollback, "spot-1")
    assert may(elsewhere, of_models, rollback, "spot-2")


def test_every_kind_has_a_permission_that_fits() -> None:
    assert {spec.name: spec.permission for spec in errands()} == {
        "backtest": Permission.RUN_BACKTESTS,
        "config-rollback": Permission.CHANGE_CONFIG,
        "config-set": Permission.CHANGE_CONFIG,
        "job": Permission.RUN_JOBS,
        "model-promote": Permission.PROMOTE_MODELS,
        "model-rollback": Permission.PROMOTE_MODELS,
    }


def test_progress_is_read_as_it_was_written_and_nothing_else_is_taken_for_it() -> None:
    for said in (Progress("playing", 0.25), Progress("reading")):
        assert told(said.line()) == said
    assert told('{"progress": 3}') is None
    assert told("{ broken") is None
    assert told('{"progress":"x","share":7}') == Progress("x")
    assert logged('{"event":"job_done","level":"info"}') == Progress("job_done")
    assert logged("error: nothing") is None


def test_the_oldest_reports_go_first(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.html").write_text("", encoding="utf-8")
    prune(tmp_path, 2)
    assert len(list(tmp_path.glob("*.html"))) == 2
