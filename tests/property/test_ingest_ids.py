"""Nothing is lost silently: ids in `trades` and ids in unhealed `gaps` are together all ids, at every crash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from ares.model.market import Trade
from ares.model.row import Row
from ingest.batches import staged
from ingest.gaps import Gap
from ingest.intake import Arrival, Resume, TradeIntake, ids_of
from ingest.ranges import IdRanges
from ingest.recovery import bounded_by, still_missing

START_NS = 1_700_000_000_000_000_000
FIRST_ID = 100


def trade(seq: int) -> Trade:
    return Trade("sim", "BTC/USDT", str(seq), seq, "buy", 100.0, 1.0, START_NS + seq, START_NS + seq, "stream")


@dataclass
class Store:
    """What a store holds after the rows that reached it."""

    ids: set[int] = field(default_factory=set)
    gaps: dict[str, Row] = field(default_factory=dict)

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.table == "trades":
                self.ids.add(number(row, "seq"))
            else:
                self.gaps[str(row.columns["gap_id"])] = row

    def unhealed(self) -> set[int]:
        open_ids: set[int] = set()
        for row in self.gaps.values():
            if row.symbols["status"] != "healed":
                last = row.columns["last_seq"]
                end = max(self.ids, default=0) if last is None else number(row, "last_seq")
                open_ids |= set(range(number(row, "first_seq"), end + 1))
        return open_ids

    def assert_whole(self) -> None:
        if self.ids:
            everything = set(range(min(self.ids), max(self.ids) + 1))
            assert everything <= self.ids | self.unhealed()


def number(row: Row, column: str) -> int:
    value = row.columns[column]
    assert isinstance(value, int)
    return value


class Crash(Exception):
    """The process was killed after a part of a batch."""


@dataclass
class Market:
    """A venue whose ids run on; what it streams may be withheld, repeated, or come late."""

    intake: TradeIntake
    store: Store
    next_id: int = FIRST_ID
    withheld: list[int] = field(default_factory=list)
    forgotten: set[int] = field(default_factory=set)
    dying: bool = False

    def commit(self, rows: Sequence[Row]) -> None:
        """Rows reach the store in stages; a crash may come between any two, and must never leave a silent hole."""
        for stage in staged(list(rows)):
            self.store.write(stage)
            self.store.assert_whole()
            if self.dying:
                self.dying = False
                raise Crash

    def step(self, action: str, now_ns: int) -> None:
        try:
            self.act(action, now_ns)
        except Crash:
            self.restart(now_ns)

    def act(self, action: str, now_ns: int) -> None:
        if action == "crash":
            self.dying = True
        elif action == "trade":
            self.commit(self.intake.accept(trade(self.issue()), now_ns).rows)
        elif action == "withhold":
            self.withheld.append(self.issue())
        elif action == "late" and self.withheld:
            self.commit(self.intake.accept(trade(self.withheld.pop()), now_ns).rows)
        elif action == "repeat" and self.next_id > FIRST_ID:
            accepted = self.intake.accept(trade(self.next_id - 1), now_ns)
            self.commit(accepted.rows)
        elif action == "disconnect":
            self.commit(self.intake.interrupted("disconnect", now_ns))
        elif action == "catch_up":
            latest = trade(self.next_id - 1) if self.next_id > FIRST_ID else None
            self.commit(self.intake.caught_up(latest, now_ns))
        elif action == "heal":
            self.heal(now_ns)
        elif action == "forget" and self.next_id > FIRST_ID:
            self.forgotten.add(self.next_id - 1)
        elif action == "restart":
            self.restart(now_ns)

    def issue(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def heal(self, now_ns: int) -> None:
        for gap in list(self.intake.gaps):
            listed = [trade(seq) for seq in range(FIRST_ID, self.next_id) if seq not in self.forgotten]
            self.commit(self.intake.take(listed))
            if self.intake.missing_of(gap):
                self.commit(self.intake.give_up(gap, now_ns))
            self.commit(self.intake.settle(now_ns))

    def restart(self, now_ns: int) -> None:
        """A new process that knows only what is stored."""
        self.intake = TradeIntake("sim", "BTC/USDT")
        if self.store.ids:
            self.commit(self.intake.resume(self.known(), now_ns))

    def known(self) -> Resume:
        first, last = min(self.store.ids), max(self.store.ids)
        gaps = [bounded_by(gap_of(row), last, START_NS + last) for row in self.store.gaps.values()]
        open_gaps = [gap for gap in gaps if gap.status == "open"]
        holes = IdRanges([(first, last)])
        for seq in self.store.ids:
            holes.remove(seq, seq)
        missing = still_missing(open_gaps, holes.spans(), (first, last))
        return Resume(first, last, START_NS + first, START_NS + last, open_gaps, (), missing)


def gap_of(row: Row) -> Gap:
    last, ended = row.columns["last_seq"], row.columns["ended_at"]
    return Gap(
        "sim",
        "BTC/USDT",
        "trades",
        "id_jump",
        str(row.columns["gap_id"]),
        number(row, "started_at"),
        ended if isinstance(ended, int) else None,
        number(row, "first_seq"),
        last if isinstance(last, int) else None,
        "open" if row.symbols["status"] == "open" else "lost",
        revision=number(row, "revision"),
    )


ACTIONS = st.sampled_from(
    [
        "trade",
        "trade",
        "trade",
        "withhold",
        "late",
        "repeat",
        "disconnect",
        "catch_up",
        "heal",
        "forget",
        "restart",
        "crash",
    ]
)


@settings(max_examples=300, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=40))
def test_stored_ids_and_unhealed_gaps_are_all_ids_whatever_happens(actions: list[str]) -> None:
    market = Market(TradeIntake("sim", "BTC/USDT"), Store())
    for position, action in enumerate(actions):
        market.step(action, START_NS + 10**12 + position)
        market.store.assert_whole()


@settings(max_examples=200, deadline=None)
@given(actions=st.lists(ACTIONS.filter(lambda action: action != "forget"), max_size=40))
def test_after_healing_every_id_is_stored_and_no_gap_is_open(actions: list[str]) -> None:
    market = Market(TradeIntake("sim", "BTC/USDT"), Store())
    for position, action in enumerate([*actions, "trade", "trade", "catch_up", "heal", "catch_up", "heal"]):
        market.step(action, START_NS + 10**12 + position)
    assert market.store.ids == set(range(min(market.store.ids), market.next_id))
    assert market.store.unhealed() == set()


@given(actions=st.lists(st.sampled_from(["trade", "withhold", "late", "repeat", "heal"]), max_size=40))
def test_no_trade_is_accepted_twice(actions: list[str]) -> None:
    intake = TradeIntake("sim", "BTC/USDT")
    market = Market(intake, Store())
    accepted: list[int] = []
    original = market.commit

    def counting(rows: Sequence[Row]) -> None:
        accepted.extend(number(row, "seq") for row in rows if row.table == "trades")
        original(rows)

    market.commit = counting  # type: ignore[method-assign]
    for position, action in enumerate(actions):
        market.step(action, START_NS + position)
    assert len(accepted) == len(set(accepted))
    assert all(intake.judge(trade(seq)) in (Arrival.DUPLICATE, Arrival.BEFORE_START) for seq in accepted)


def test_ids_of_a_bounded_gap_are_its_first_and_last() -> None:
    market = Market(TradeIntake("sim", "BTC/USDT"), Store())
    for action in ("trade", "withhold", "withhold", "trade"):
        market.step(action, START_NS)
    assert ids_of(market.intake.gaps[0]) == (FIRST_ID + 1, FIRST_ID + 2)
