"""Where ids have holes: trades in `trades` and the time in unhealed `gaps` are together all trades, at every crash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ares.model.market import Trade
from ares.model.row import Row, Storable
from ingest.batches import staged
from ingest.gaps import Gap
from ingest.intake import Arrival, Resume, Stored
from ingest.timed import SeenTrades, TimedIntake

START_NS = 1_700_000_000_000_000_000
MILLI_NS = 1_000_000
PAGE_MAX = 6


def trade(number: int, ms: int) -> Trade:
    """Ids with holes, as UUIDs are nothing but holes; several trades may share a millisecond."""
    ts_ns = START_NS + ms * MILLI_NS
    return Trade("sim", "BTC/USDT", f"id-{number}", number * 7, "buy", 100.0, 1.0, ts_ns, ts_ns, "stream")


@dataclass
class Store:
    """What a store holds after the rows that reached it."""

    trades: dict[str, Trade] = field(default_factory=dict)
    gaps: dict[str, Row] = field(default_factory=dict)

    def write(self, rows: Sequence[Storable]) -> None:
        for row in rows:
            if isinstance(row, Trade):
                self.trades[row.trade_id] = row
            else:
                assert isinstance(row, Row)
                self.gaps[str(row.columns["gap_id"])] = row

    def admits(self, ts_ns: int) -> bool:
        """Whether an unhealed gap says that something may be missing at this time."""
        return any(
            moment(row, "started_at") <= ts_ns and (row.columns["ended_at"] is None or ts_ns <= moment(row, "ended_at"))
            for row in self.gaps.values()
            if row.symbols["status"] != "healed"
        )


def moment(row: Row, column: str) -> int:
    value = row.columns[column]
    assert isinstance(value, int)
    return value


class Crash(Exception):
    """The process was killed after a part of a batch."""


@dataclass
class Market:
    """A venue whose newest trades can be asked for; what it streams may be withheld, repeated, or come late."""

    intake: TimedIntake
    store: Store = field(default_factory=Store)
    issued: list[Trade] = field(default_factory=list)
    queue: list[Storable] = field(default_factory=list)
    undetected: set[str] = field(default_factory=set)
    ms: int = 0
    listed: int = 0
    connected: bool = True
    dying: bool = False
    now_ns: int = START_NS + 10**12

    def issue(self, step_ms: int) -> Trade:
        self.ms += step_ms
        self.issued.append(trade(len(self.issued) + 1, self.ms))
        return self.issued[-1]

    def put(self, rows: Sequence[Storable]) -> None:
        self.queue += rows

    def commit(self) -> None:
        """The queue reaches the store in stages; a crash may come between any two."""
        batch, self.queue = self.queue, []
        for stage in staged(batch):
            assert all(not isinstance(entry, Sequence) for entry in stage)
            self.store.write(stage)  # type: ignore[arg-type]
            self.assert_whole()
            if self.dying:
                self.dying = False
                raise Crash

    def assert_whole(self) -> None:
        """Every trade from the first stored to the last is stored or admitted to be missing, if anybody could know."""
        stored = self.store.trades.values()
        if not stored:
            return
        first, last = min(each.ts_ns for each in stored), max((each.ts_ns, each.seq) for each in stored)
        for each in self.issued:
            if first < each.ts_ns and (each.ts_ns, each.seq) <= last and each.trade_id not in self.store.trades:
                assert each.trade_id in self.undetected or self.store.admits(each.ts_ns), each

    def page(self) -> list[Trade]:
        """The venue's newest trades: those that REST lists as yet."""
        return self.issued[: self.listed][-PAGE_MAX:]

    def act(self, action: str) -> None:
        self.now_ns += 1
        try:
            getattr(self, action)()
        except Crash:
            self.restart()

    def stream(self) -> None:
        each = self.issue(1)
        self.listed = len(self.issued)
        if self.connected:
            self.put(self.intake.accept(each, self.now_ns).rows)

    def burst(self) -> None:
        """Several trades in one millisecond."""
        for step_ms in (1, 0, 0):
            each = self.issue(step_ms)
            if self.connected:
                self.put(self.intake.accept(each, self.now_ns).rows)
        self.listed = len(self.issued)

    def lagging(self) -> None:
        """A trade that the stream brings before REST lists it."""
        each = self.issue(1)
        if self.connected:
            self.put(self.intake.accept(each, self.now_ns).rows)

    def withheld(self) -> None:
        """A trade that an open stream leaves out: nothing shows it until REST is asked."""
        each = self.issue(1)
        self.listed = len(self.issued)
        if self.connected and self.intake.is_current:
            self.undetected.add(each.trade_id)

    def repeated(self) -> None:
        if self.connected and self.issued:
            self.put(self.intake.accept(self.issued[-1], self.now_ns).rows)
            self.undetected.discard(self.issued[-1].trade_id)

    def disconnect(self) -> None:
        self.connected = False
        self.put(self.intake.interrupted("disconnect", self.now_ns))

    def connect(self) -> None:
        self.connected = True

    def look(self) -> None:
        self.put(self.intake.fill(self.page(), self.intake.looking(settled=False), self.now_ns))

    def settled_look(self) -> None:
        """Asked a while after the stream came back: REST lists by then what was before."""
        self.listed = len(self.issued)
        self.put(self.intake.fill(self.page(), self.intake.looking(settled=self.connected), self.now_ns))

    def overtaken_look(self) -> None:
        """The stream breaks between the question and the answer."""
        look = self.intake.looking(settled=self.connected)
        page = self.page()
        self.disconnect()
        self.issue(1)
        self.put(self.intake.fill(page, look, self.now_ns))

    def audit(self) -> None:
        opened = self.intake.suspect(self.page(), self.now_ns)
        self.put([*opened, *self.intake.fill(self.page(), self.intake.looking(settled=False), self.now_ns)])

    def reach_back(self) -> None:
        if self.intake.last is not None and self.store.trades:
            opened = self.intake.reach_back(self.page(), 0, self.now_ns)
            if opened:
                self.put([*opened, *self.intake.fill(self.page(), self.intake.looking(settled=False), self.now_ns)])

    def begin(self) -> None:
        if self.intake.last is None and self.page():
            self.put(self.intake.begin(self.page()[-1], self.now_ns))

    def crash(self) -> None:
        self.dying = True

    def restart(self) -> None:
        """A new process that knows only what is stored."""
        self.queue = []
        self.intake = TimedIntake("sim", "BTC/USDT")
        stored = sorted(self.store.trades.values(), key=lambda each: (each.ts_ns, each.seq))
        gaps = [gap_of(row) for row in self.store.gaps.values() if row.symbols["status"] == "open"]
        if not stored:
            self.put([gap.closed("lost", "", self.now_ns, None).to_row(self.now_ns) for gap in gaps])
        else:
            recent = [Stored(each.trade_id, each.ts_ns) for each in stored]
            first, last = stored[0], stored[-1]
            known = Resume(first.seq, last.seq, first.ts_ns, last.ts_ns, gaps, recent=recent)
            self.put(self.intake.resume(known, self.now_ns))


def gap_of(row: Row) -> Gap:
    ended, started = row.columns["ended_at"], row.columns["started_at"]
    assert isinstance(started, int)
    assert isinstance(row.columns["revision"], int)
    return Gap(
        "sim",
        "BTC/USDT",
        "trades",
        "disconnect",
        str(row.columns["gap_id"]),
        started,
        ended if isinstance(ended, int) else None,
        revision=row.columns["revision"],
    )


ACTIONS = st.sampled_from(
    [
        *("stream", "stream", "stream", "burst", "lagging", "withheld", "repeated", "commit", "commit"),
        *("disconnect", "connect", "look", "look", "settled_look", "overtaken_look", "audit", "reach_back", "begin"),
        *("crash", "restart"),
    ]
)


def played(actions: Sequence[str]) -> Market:
    market = Market(TimedIntake("sim", "BTC/USDT"))
    for action in actions:
        market.act(action)
    return market


@settings(max_examples=600, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=60))
@example(actions=["stream", "disconnect", *["stream"] * 4, "burst", "connect", "look", "stream"])
@example(actions=["stream", "commit", *["stream"] * 2, "overtaken_look", "crash", *["stream"] * 3, "commit"])
def test_stored_trades_and_the_time_of_unhealed_gaps_are_all_trades_whatever_happens(actions: list[str]) -> None:
    played([*actions, "commit", "commit"])


@settings(max_examples=300, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=60))
def test_in_the_end_no_gap_is_open_and_a_whole_page_is_stored(actions: list[str]) -> None:
    market = played(actions)
    market.dying = False
    for action in ("commit", "connect", "stream", "settled_look", "settled_look", "audit", "commit"):
        market.act(action)
    assert [row for row in market.store.gaps.values() if row.symbols["status"] == "open"] == []
    first_ns = min(each.ts_ns for each in market.store.trades.values())
    page = [each for each in market.page() if each.ts_ns > first_ns]
    assert {each.trade_id for each in page} <= market.store.trades.keys()


@settings(max_examples=300, deadline=None)
@given(breaks=st.lists(st.integers(1, PAGE_MAX - 1), min_size=1, max_size=12))
def test_a_break_of_any_length_loses_nothing_while_pages_overlap(breaks: list[int]) -> None:
    """The stream is away; between two questions come fewer trades than a page holds."""
    market = played(["stream", "commit", "disconnect"])
    for missed in breaks:
        for action in [*(["stream"] * missed), "look", "commit"]:
            market.act(action)
    for action in ("connect", "stream", "settled_look", "commit"):
        market.act(action)
    assert market.store.trades.keys() == {each.trade_id for each in market.issued}
    (gap,) = market.store.gaps.values()
    assert (gap.symbols["status"], gap.symbols["healed_by"]) == ("healed", "rest")


@given(missed=st.integers(0, 3 * PAGE_MAX))
def test_what_a_page_does_not_reach_is_lost_with_its_time_and_the_rest_is_healed(missed: int) -> None:
    market = played(["stream", "commit", "disconnect", *(["stream"] * missed), "connect", "stream", "look", "commit"])
    lost = [row for row in market.store.gaps.values() if row.symbols["status"] == "lost"]
    absent = [each for each in market.issued if each.trade_id not in market.store.trades]
    assert len(absent) == max(0, missed + 1 - PAGE_MAX)
    assert bool(lost) == (missed + 2 > PAGE_MAX)
    if lost:
        assert (lost[0].columns["started_at"], lost[0].columns["ended_at"]) == (
            market.issued[0].ts_ns,
            market.page()[0].ts_ns,
        )
        assert lost[0].columns["missing"] is None


@given(actions=st.lists(st.sampled_from(["stream", "burst", "repeated", "withheld", "audit", "look"]), max_size=40))
def test_no_trade_is_accepted_twice(actions: list[str]) -> None:
    market = Market(TimedIntake("sim", "BTC/USDT"))
    for action in actions:
        market.act(action)
    written = [row.trade_id for row in market.queue if isinstance(row, Trade)]
    assert len(written) == len(set(written))
    assert all(market.intake.judge(row) is Arrival.DUPLICATE for row in market.queue if isinstance(row, Trade))


def test_ids_that_are_remembered_are_few_and_their_floor_is_known() -> None:
    seen = SeenTrades(3)
    for number in range(5):
        seen.add(str(number), number * 10)
    assert (len(seen), seen.floor_ns) == (3, 10)
    assert "1" not in seen
    assert "2" in seen
    assert (seen.before(35), seen.before(5)) == (30, None)


def test_a_trade_older_than_what_is_remembered_is_written_again_and_opens_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.timed.SEEN_TRADES_MAX", 2)
    market = played(["stream"] * 5)
    accepted = market.intake.accept(market.issued[0], START_NS)
    assert (accepted.arrival, [row.table for row in accepted.rows]) == (Arrival.LATE, ["trades"])
    assert market.intake.suspect(market.page(), START_NS) == [], "what is not remembered is not suspected"
