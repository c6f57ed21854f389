"""Goal: a party that is down is left alone, then asked by one call at a time, and by all as soon as it answers."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from ares.errors import VenueUnavailable
from ares.resilience import Guard, GuardPolicy
from ares.resilience.breaker import Breaker, BreakerState
from ares.testing.clock import SteppedClock

OPEN_S = 10.0
POLICY = GuardPolicy(deadline_s=5.0, attempts_max=1, failures_to_open=2, open_s=OPEN_S)


class Party:
    """A remote party that answers when it is let, and counts who asks."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def ask(self) -> str:
        self.asked += 1
        answer = await self.answers.get()
        if answer is not None:
            raise answer
        return "yes"

    def down(self) -> None:
        self.answers.put_nowait(VenueUnavailable("down"))

    def up(self) -> None:
        self.answers.put_nowait(None)


async def opened(clock: SteppedClock, party: Party, name: str = "party") -> Guard:
    """A guard whose breaker has just opened."""
    guard = Guard(name, clock, POLICY, random.Random(1))
    for _ in range(POLICY.failures_to_open):
        party.down()
        with pytest.raises(VenueUnavailable, match="down"):
            await guard.call("ask", party.ask, idempotent=False)
    party.asked = 0
    return guard


async def test_one_call_probes_while_all_others_are_refused() -> None:
    clock, party = SteppedClock(), Party()
    guard = await opened(clock, party)
    await clock.advance(OPEN_S)
    calls = [asyncio.create_task(guard.call("ask", party.ask, idempotent=False)) for _ in range(5)]
    await asyncio.sleep(0)
    party.up()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert party.asked == 1
    assert outcomes.count("yes") == 1
    refused = [str(outcome) for outcome in outcomes if isinstance(outcome, VenueUnavailable)]
    assert refused == ["party: not called, it failed and another call probes it now"] * 4
    party.up()
    assert await guard.call("ask", party.ask, idempotent=False) == "yes"


async def test_failed_probe_opens_again_for_the_whole_time() -> None:
    clock, party = SteppedClock(), Party()
    guard = await opened(clock, party)
    await clock.advance(OPEN_S)
    party.down()
    with pytest.raises(VenueUnavailable, match="down"):
        await guard.call("ask", party.ask, idempotent=False)
    await clock.advance(OPEN_S - 1)
    with pytest.raises(VenueUnavailable, match=r"2 times in a row; probed again in 1\.0 s"):
        await guard.call("ask", party.ask, idempotent=False)
    assert party.asked == 1


@pytest.mark.parametrize("end", ["cancelled", "broken"])
async def test_probe_that_tells_nothing_lets_the_next_call_probe(end: str) -> None:
    clock, party = SteppedClock(), Party()
    guard = await opened(clock, party)
    await clock.advance(OPEN_S)
    probe = asyncio.create_task(guard.call("ask", party.ask, idempotent=False))
    await asyncio.sleep(0)
    if end == "cancelled":
        probe.cancel()
    else:
        party.answers.put_nowait(KeyError("a fault of ours"))
    await asyncio.gather(probe, return_exceptions=True)
    party.up()
    assert await guard.call("ask", party.ask, idempotent=False) == "yes"


async def test_state_and_time_to_the_next_probe_are_metrics() -> None:
    clock, party = SteppedClock(), Party()

    def shown(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, {"guard": "shown", **labels})

    def holds() -> list[str]:
        return [state for state in BreakerState if shown("ares_breaker_state", state=state) == 1]

    guard = await opened(clock, party, "shown")
    await clock.advance(4)
    assert (holds(), shown("ares_breaker_probe_seconds")) == (["open"], 6)
    await clock.advance(6)
    assert (holds(), shown("ares_breaker_probe_seconds")) == (["half_open"], 0)
    party.up()
    await guard.call("ask", party.ask, idempotent=False)
    assert holds() == ["closed"]


STEPS = st.lists(
    st.one_of(
        st.just(("enter", 0.0)),
        st.tuples(st.sampled_from(("succeed", "fail", "cancel")), st.floats(0, 1, exclude_max=True)),
        st.tuples(st.just("wait"), st.floats(0.1, 15)),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 4))
def test_never_more_than_one_probe_and_states_follow_what_came(steps: list[tuple[str, float]], limit: int) -> None:
    """Beside a model that knows, of each call under way, since which change of state it is on its way."""
    asyncio.run(followed(steps, limit))


async def followed(steps: list[tuple[str, float]], limit: int) -> None:
    clock = SteppedClock()
    breaker = Breaker(clock, limit, OPEN_S)
    under_way: list[tuple[int, str]] = []
    failures, open_until_s = 0, -1.0
    closed = True
    for step, number in steps:
        if step == "wait":
            await clock.advance(number)
        elif step == "enter":
            place = breaker.enter()
            probing = any(kind == "probe" for _, kind in under_way)
            expected = closed or (breaker.probe_in_s == 0 and not probing)
            assert (place is not None) == expected
            if place is not None:
                under_way.append((place, "usual" if closed else "probe"))
        elif under_way:
            place, kind = under_way.pop(int(number * len(under_way)))
            counts = kind == "probe" or (closed and kind == "usual")
            if step == "succeed":
                breaker.succeeded(place)
                if counts:
                    failures = 0
                    if not closed:
                        closed = True
                        # Calls of before the breaker opened tell nothing any more.
                        under_way = [(p, "old") for p, _ in under_way]
            elif step == "fail":
                breaker.failed(place)
                if counts:
                    failures += 1
                    if kind == "probe" or failures >= limit:
                        closed, open_until_s = False, clock.monotonic_s() + OPEN_S
                        under_way = [(p, "old") for p, _ in under_way]
            breaker.leave(place)
        assert sum(kind == "probe" for _, kind in under_way) <= 1
        assert (breaker.state is BreakerState.CLOSED) == closed
        if not closed:
            assert breaker.probe_in_s == pytest.approx(max(0.0, open_until_s - clock.monotonic_s()))
