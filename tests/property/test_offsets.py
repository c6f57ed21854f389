"""Goal: whatever moves, dies and comes back, no offset is committed before everything below it is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ingest.offsets import Offsets

PARTITIONS = 3
MESSAGES = 12
SECOND = 10**9


@dataclass
class Group:
    """A topic, what its group committed, what the database has, and members that share the partitions."""

    rows: list[list[int]]
    committed: dict[int, int] = field(default_factory=dict)
    written: set[tuple[int, int]] = field(default_factory=set)
    members: list[Member] = field(default_factory=list)

    def check(self) -> None:
        for partition, offset in self.committed.items():
            assert {(partition, below) for below in range(offset)} <= self.written

    def give(self, partitions: list[int], member: Member | None) -> None:
        """Move partitions to a member; who had them hands them over in order."""
        for other in self.members:
            leaving = [partition for partition in partitions if partition in other.offsets.parts]
            other.settle()
            for partition, offset in other.offsets.due().items():
                if partition in leaving:
                    self.committed[partition] = offset
            other.offsets.revoked(leaving)
        if member is not None:
            member.assigned(partitions)


@dataclass
class Member:
    """A worker: what it read stands in a lane of rows, from which some are written now and then."""

    group: Group
    offsets: Offsets = field(default_factory=Offsets)
    position: dict[int, int] = field(default_factory=dict)
    lane: list[tuple[int, int]] = field(default_factory=list)
    rows_out: int = 0

    def assigned(self, partitions: list[int]) -> None:
        self.offsets.assigned({each: self.group.committed.get(each) for each in partitions})
        for each in partitions:
            self.position[each] = self.group.committed.get(each, 0)

    def read(self, partition: int) -> None:
        at = self.position.get(partition, MESSAGES)
        if partition not in self.offsets.parts or at >= MESSAGES:
            return
        self.position[partition] = at + 1
        missed = self.offsets.read(partition, at)
        assert missed == 0
        rows = self.group.rows[partition][at]
        self.lane += [(partition, at)] * (rows - 1) + [(partition, ~at)] if rows else []
        self.offsets.entered(partition, at, rows, SECOND)
        if not rows:
            self.group.written.add((partition, at))

    def write(self, count: int) -> None:
        for partition, at in self.lane[:count]:
            if at < 0:
                self.group.written.add((partition, ~at))
        self.rows_out += min(count, len(self.lane))
        del self.lane[:count]

    def settle(self) -> None:
        self.offsets.settle(self.rows_out)

    def commit(self) -> None:
        self.settle()
        due = self.offsets.due()
        self.group.committed |= due
        self.offsets.committed(due)


partitions = st.integers(0, PARTITIONS - 1)
steps = st.one_of(
    st.tuples(st.just("read"), st.integers(0, 1), partitions),
    st.tuples(st.just("write"), st.integers(0, 1), st.integers(0, 9)),
    st.tuples(st.just("commit"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("give"), st.integers(0, 1), partitions),
    st.tuples(st.just("die"), st.integers(0, 1), st.just(0)),
)
sizes = st.lists(st.integers(0, 3), min_size=MESSAGES, max_size=MESSAGES)


@given(rows=st.lists(sizes, min_size=PARTITIONS, max_size=PARTITIONS), plan=st.lists(steps, max_size=120))
def test_nothing_is_committed_that_is_not_written_and_in_the_end_all_is(
    rows: list[list[int]], plan: list[tuple[str, int, int]]
) -> None:
    group = Group(rows)
    group.members = [Member(group), Member(group)]
    group.give(list(range(PARTITIONS)), group.members[0])
    for what, who, number in plan:
        member = group.members[who]
        if what == "read":
            member.read(number)
        elif what == "write":
            member.write(number)
        elif what == "commit":
            member.commit()
        elif what == "give":
            group.give([number], member)
        else:
            left = list(member.offsets.parts)
            group.members[who] = Member(group)
            group.members[1 - who].assigned(left)
        group.check()
    last = group.members[0]
    group.give(list(range(PARTITIONS)), last)
    for partition in range(PARTITIONS):
        for _ in range(MESSAGES):
            last.read(partition)
    last.write(10**6)
    last.commit()
    group.check()
    assert group.committed == dict.fromkeys(range(PARTITIONS), MESSAGES)
    assert group.written == {(partition, at) for partition in range(PARTITIONS) for at in range(MESSAGES)}


def test_what_is_gone_before_it_is_read_is_counted() -> None:
    offsets = Offsets()
    offsets.assigned({0: 5, 1: None})
    assert offsets.read(0, 5) == 0
    assert offsets.read(0, 9) == 3, "6, 7 and 8 were deleted before we came"
    assert offsets.read(1, 40) == 0, "a group begins wherever the topic does"
    assert offsets.read(2, 0) is None, "another member's"


def test_a_topic_that_is_a_new_one_of_an_old_name_is_read_from_its_beginning() -> None:
    offsets = Offsets()
    offsets.assigned({0: 1_000})
    for offset in range(3):
        assert offsets.read(0, offset) == 0
        offsets.entered(0, offset, 1, SECOND)
    offsets.settle(2)
    assert offsets.due() == {0: 2}


def test_lag_is_told_in_messages_and_seconds_of_the_oldest() -> None:
    offsets = Offsets()
    offsets.assigned({0: 3})
    for offset, sent_s in ((3, 10), (4, 12)):
        offsets.read(0, offset)
        offsets.entered(0, offset, 1, sent_s * SECOND)
    assert offsets.lag(0, 5, 15 * SECOND) == (2, 5.0)
    offsets.settle(1)
    assert offsets.lag(0, 5, 15 * SECOND) == (1, 3.0)
    offsets.settle(2)
    assert offsets.lag(0, 5, 15 * SECOND) == (0, 0.0)
    assert offsets.lag(0, 6, 15 * SECOND) == (1, 3.0), "it is not read yet, and younger than the last"
    assert offsets.lag(1, 6, 15 * SECOND) == (0, 0.0), "another member's"
