"""Goal: however a burst is cut into pieces and in whatever order they come, the same is told, and nothing twice."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from api.notify.digest import Digest
from api.notify.notices import Executed, Notice
from ares.security.access.roles import Permission
from ares.security.access.topics import Topic

NOW_NS = 1_796_000_000_000_000_000

executions = st.builds(
    Executed,
    st.decimals("0.0001", "1000", places=4),
    st.decimals("0.01", "1000000", places=2),
    st.integers(0, 8),
)


@st.composite
def notices(draw: st.DrawFn) -> list[Notice]:
    """News, each with an id of its own; those of a subject are all executions, or none is."""
    found = []
    for number in range(draw(st.integers(0, 12))):
        topic = draw(st.sampled_from((Topic.FILLS, Topic.STATE, Topic.GAPS)))
        subject = draw(st.sampled_from(("fill a s BTC/USDT buy", "fill a s ETH/USDT sell")))
        executed = draw(executions) if topic is Topic.FILLS else None
        ts_ns = NOW_NS + draw(st.integers(0, 5))
        text = f"{subject.split()[-1]} {number}"
        found.append(Notice(f"e{number}", topic, Permission.READ_TRADING, ts_ns, subject, text, "a", "s", executed))
    return found


@given(st.data(), notices(), st.integers(1, 6))
def test_pieces_in_any_order_give_the_same(data: st.DataObject, news: list[Notice], pieces: int) -> None:
    whole = Digest()
    whole.put(news)
    shuffled = data.draw(st.permutations(news))
    merged = Digest()
    for number in range(pieces):
        part = Digest()
        part.put(shuffled[number::pieces])
        merged.take(part)
    assert merged.piles == whole.piles
    assert merged.text(NOW_NS) == whole.text(NOW_NS)
    assert merged.cells() == whole.cells()


@given(notices())
def test_nothing_is_lost_and_figures_add_up(news: list[Notice]) -> None:
    digest = Digest()
    digest.put(news)
    assert digest.count == len(news)
    filled = [each.executed for each in news if each.executed is not None]
    piles = [pile.executed for pile in digest.piles.values() if pile.executed is not None]
    assert sum((each.quantity for each in piles), Decimal(0)) == sum((each.quantity for each in filled), Decimal(0))
    assert sum((each.cost for each in piles), Decimal(0)) == sum((each.cost for each in filled), Decimal(0))
    if news:
        assert digest.first_ns == min(each.ts_ns for each in news)
