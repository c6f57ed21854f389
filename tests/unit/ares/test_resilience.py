"""Goal: a guarded call ends in time, repeats only what may be repeated, and stops asking a party that is down."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import SystemClock
from ares.errors import VenueRejected, VenueUnavailable
from ares.resilience import Backoff, Guard, GuardPolicy, to_the_end
from ares.testing.clock import SteppedClock


class Party:
    """A remote party that fails a number of times, then answers."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or VenueUnavailable("down")
        self.calls = 0

    async def answer(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "yes"


def guard(clock: SteppedClock | SystemClock, **bounds: float) -> Guard:
    defaults: dict[str, float] = {"deadline_s": 5.0, "backoff_s_min": 0.001, "backoff_s_max": 0.002}
    return Guard("party", clock, GuardPolicy(**{**defaults, **bounds}), random.Random(1))  # type: ignore[arg-type]


async def test_idempotent_call_is_repeated_until_it_works() -> None:
    party = Party(failures=2)
    assert await guard(SystemClock()).call("ask", party.answer, idempotent=True) == "yes"
    assert party.calls == 3


async def test_call_that_may_not_be_repeated_is_made_once() -> None:
    party = Party(failures=1)
    with pytest.raises(VenueUnavailable):
        await guard(SystemClock()).call("order", party.answer, idempotent=False)
    assert party.calls == 1


async def test_refusal_is_an_answer_and_is_not_repeated() -> None:
    party = Party(failures=9, error=VenueRejected("no", "no"))
    with pytest.raises(VenueRejected):
        await guard(SystemClock()).call("ask", party.answer, idempotent=True)
    assert party.calls == 1


async def test_silence_ends_at_the_deadline() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    with pytest.raises(VenueUnavailable, match=r"no answer to ask in 0\.01 s"):
        await guard(SystemClock(), deadline_s=0.01).call("ask", never, idempotent=False)


async def test_breaker_opens_after_failures_and_tries_again_later() -> None:
    clock = SteppedClock()
    party = Party(failures=3)
    guarded = guard(clock, failures_to_open=3, open_s=10)
    for _ in range(3):
        with pytest.raises(VenueUnavailable, match="down"):
            await guarded.call("ask", party.answer, idempotent=False)
    with pytest.raises(VenueUnavailable, match="not called"):
        await guarded.call("ask", party.answer, idempotent=False)
    assert party.calls == 3, "an open breaker does not bother the party"
    await clock.advance(11)
    assert await guarded.call("ask", party.answer, idempotent=False) == "yes"
    assert await guarded.call("ask", party.answer, idempotent=False) == "yes"


async def test_party_that_says_when_to_come_back_is_not_asked_earlier() -> None:
    clock = SteppedClock()
    party = Party(failures=1, error=VenueUnavailable("later", retry_after_s=30))
    call = asyncio.create_task(guard(clock).call("ask", party.answer, idempotent=True))
    await clock.advance(29)
    assert party.calls == 1
    await clock.advance(2)
    assert await call == "yes"


@given(st.integers(), st.floats(0.01, 1), st.floats(1, 60), st.integers(1, 40))
def test_waits_stay_between_their_bounds(seed: int, s_min: float, s_max: float, tries: int) -> None:
    backoff = Backoff(s_min, s_max, random.Random(seed))
    waits = [backoff.next_wait_s() for _ in range(tries)]
    assert all(s_min <= wait <= s_max for wait in waits)
    backoff.reset()
    assert backoff.next_wait_s() == s_min


async def test_cleaning_up_ends_whole_however_often_it_is_cancelled_and_the_cancellation_comes_through() -> None:
    may_end, ended = asyncio.Event(), asyncio.Event()

    async def clean_up() -> None:
        await may_end.wait()
        ended.set()

    task = asyncio.create_task(to_the_end(clean_up()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    await asyncio.gather(task, return_exceptions=True)
    assert ended.is_set()
    assert task.cancelled()


async def test_cleaning_up_that_fails_says_so() -> None:
    async def clean_up() -> None:
        raise VenueUnavailable("down")

    with pytest.raises(VenueUnavailable):
        await to_the_end(clean_up())
