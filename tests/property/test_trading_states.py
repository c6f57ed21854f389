"""Goal: whatever is said in whatever order, only a person ends HALTED, and nobody takes back what another said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.control import ControlStore
from ares.testing.clock import SteppedClock
from trader.execution.state import HEALTH, RECONCILE, StateChange, TradingStates
from trader.risk import TradingState

ACTIVE, REDUCING, HALTED = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED
NUMBERS = count()
SAID = st.sampled_from(
    [
        *(("person", ACTIVE), ("person", REDUCING), ("person", HALTED), ("alert", HALTED), ("alert", REDUCING)),
        *((HEALTH, "QuestDB is away"), (HEALTH, None), (RECONCILE, "BTC: book 1, venue 0"), (RECONCILE, None)),
    ]
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlStore]:
    """One store for all examples; each has an account of its own."""
    control = ControlStore.open(f"sqlite:///{tmp_path_factory.mktemp('states') / 'control.db'}")
    yield control
    control.close()


async def say(states: TradingStates, actor: str, what: TradingState | str | None, now_ns: int) -> StateChange:
    if actor == HEALTH:
        assert not isinstance(what, TradingState)
        return await states.examined(what, now_ns)
    if actor == RECONCILE:
        assert not isinstance(what, TradingState)
        return await states.reconciled(short=what, now_ns=now_ns)
    assert isinstance(what, TradingState)
    if actor == "alert":
        return await states.alerted(what, "drawdown", now_ns)
    return await states.change(what, actor, "by hand", now_ns)


async def lived(store: ControlStore, said: list[tuple[str, TradingState | str | None]]) -> None:
    states, unwell = TradingStates(store, f"account-{next(NUMBERS)}", SteppedClock()), None
    for now_ns, (actor, what) in enumerate([(RECONCILE, None), *said], start=1):
        before = await states.refresh()
        after = await say(states, actor, what, now_ns)
        unwell = what if actor == HEALTH else unwell
        if actor == "person" or before.seq in (0, after.seq):
            continue
        assert before.state is not HALTED, "only a person ends HALTED"
        assert after.state is not ACTIVE or (before.state, before.actor, unwell) == (REDUCING, actor, None)
        if before.state is REDUCING and after.state is REDUCING:
            assert before.actor in (HEALTH, RECONCILE), "nobody speaks over what a person or an alert reduced"


@settings(max_examples=40)
@given(said=st.lists(SAID, max_size=10))
def test_whatever_is_said_only_who_said_it_takes_it_back(
    store: ControlStore, said: list[tuple[str, TradingState | str | None]]
) -> None:
    asyncio.run(lived(store, said))
