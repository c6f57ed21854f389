"""Whatever single thing is done to a chain, verifying tells; untouched, it is whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ares.control.audit import GENESIS, AuditEntry, ChainLink, canonical, chained_hash
from ares.security.audit.chain import Head, verify

words = st.text(max_size=8)
entries = st.builds(AuditEntry, st.just("w"), words, words, st.integers(0, 10**18), why=words)


def built(bodies: list[AuditEntry]) -> list[ChainLink]:
    links: list[ChainLink] = []
    previous = GENESIS
    for seq, body in enumerate(bodies, start=1):
        text = canonical(body, seq)
        previous = chained_hash(previous, text)
        links.append(ChainLink("w", seq, text, previous))
    return links


def head(links: list[ChainLink]) -> str:
    return Head(
        writer="w", seq=links[-1].seq, hash=links[-1].hash, at_ns=0, previous=GENESIS, key_id="key", signature="signed"
    ).line()


@given(st.lists(entries, min_size=2, max_size=8), st.data())
def test_any_single_change_of_a_chain_is_a_fault(bodies: list[AuditEntry], data: st.DataObject) -> None:
    links = built(bodies)
    heads = [head(links)]
    assert not verify(links, heads, heads, lambda _: True).faults
    at = data.draw(st.integers(0, len(links) - 1))
    victim = links[at]
    other = data.draw(st.text().filter(lambda text: text != victim.text))
    changed = data.draw(
        st.sampled_from(
            [
                [*links[:at], ChainLink("w", victim.seq, other, victim.hash), *links[at + 1 :]],
                [*links[:at], ChainLink("w", victim.seq, victim.text, "0" * 63 + "1"), *links[at + 1 :]],
                [*links[:at], *links[at + 1 :]],
                links[:at],
                [*links[:at], ChainLink("v", 1, victim.text, victim.hash), *links[at + 1 :]],
            ]
        )
    )
    assert verify(changed, heads, heads, lambda _: True).faults


@given(st.lists(entries, min_size=1, max_size=5), entries)
def test_any_rewritten_chain_contradicts_its_signed_head(bodies: list[AuditEntry], another: AuditEntry) -> None:
    links = built(bodies)
    forged = built([another, *bodies[1:]])
    if forged != links:
        assert verify(forged, [head(links)], [], lambda _: True).faults
