"""Rules on how often and how soon again are told of the orders that they can look at, and of no older ones."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from decimal import Decimal

import pytest

from ares.clock import NANOS_PER_SECOND
from tests.unit.trader.conftest import BTC, STRATEGY
from trader.execution.tracked import SENT_S, sent_of
from trader.portfolio.orders import Intent
from trader.risk import Limits

BIG = Decimal(10**9)
LIMITS = Limits(BIG, BIG, BIG, BIG, Decimal("0.9"), Decimal(180), Decimal(10), Decimal(60))
NOW_NS = 10_000 * NANOS_PER_SECOND


def committed(*ages_s: int) -> deque[Intent]:
    intents = (
        Intent(
            order_id=f"{age_s}",
            account="a",
            venue="sim",
            symbol=BTC,
            strategy=STRATEGY,
            version=1,
            side="buy",
            type="limit",
            time_in_force="IOC",
            quantity=Decimal(1),
            price=Decimal(100),
            mark=Decimal(100),
            source="signal",
            cycle_id="",
            correlation_id="",
            decided_at_ns=NOW_NS - age_s * NANOS_PER_SECOND,
            signal_known_at_ns=None,
        )
        for age_s in ages_s
    )
    return deque(intents)


def test_orders_that_no_rule_looks_at_are_not_gathered_and_still_remembered() -> None:
    before = committed(3_700, 3_000, 60, 59, 1)
    assert [int(sent.age_s) for sent in sent_of(before, (), NOW_NS, 60)] == [59, 1]
    assert [intent.order_id for intent in before] == ["3000", "60", "59", "1"], "only after an hour they are let go of"
    assert len(sent_of(before, committed(0), NOW_NS, 10 * SENT_S)) == 5


@pytest.mark.parametrize(("duplicate_s", "seconds"), [(None, 60), ("3", 60), ("60.5", 61), ("600", 600)])
def test_as_far_back_as_the_limits_reach(duplicate_s: str | None, seconds: int) -> None:
    wide = replace(LIMITS, duplicate_s=None if duplicate_s is None else Decimal(duplicate_s))
    assert wide.sent_s == seconds
