"""Replayed rows beside what is stored: that stays as it is, also its time of receipt; what is new is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ares.clock import DAY_NS, HOUR_NS, MINUTE_NS, Clock, to_datetime
from ares.model.market import Book, Entry, Funding, Quote, Trade, TradeRun
from ares.model.row import Row
from ares.store import Database, Param, load_queries
from ares.store.pool import Record, as_int, as_str
from ingest.feed import WITHOUT_IDS, Rejected
from ingest.gaps import Gap, Where
from ingest.imports.account import ImportAccount
from ingest.imports.keeping import Fate, TradeKeeper
from ingest.recovery import QUERIES as RECOVERY
from ingest.recovery import gap_of
from ingest.replay.holed import OVERLAP_NS, HoledTradeKeeper, pieces_of
from ingest.replay.player import Player, Stretch, gap_times, trades_by_symbol
from ingest.transport import in_place

QUERIES = load_queries("ingest", "queries/replay.sql")
UNITS_NS: Mapping[str, int] = {
    "MINUTE": MINUTE_NS,
    "HOUR": HOUR_NS,
    "DAY": DAY_NS,
    "WEEK": 7 * DAY_NS,
    "MONTH": 28 * DAY_NS,
    "YEAR": 365 * DAY_NS,
}
WRITTEN = ("trades", "trades_archive", "quotes", "books", "funding", "gaps", "quarantine")
FAR_IDS = 10_000
"""Ids that lie farther apart than this are asked for apart: what lies between may be stored, and much."""

Put = Callable[[Sequence[Entry]], Awaitable[None]]


@dataclass(slots=True)
class Figures:
    """What became of the rows of a table: `rows` = `written` + `archived` + `known` + `expired`.

    `known` were stored before and stay as they are, `contradicting` of these say something else than what is stored;
    `expired` are older than what the table keeps.
    """

    table: str
    rows: int = 0
    written: int = 0
    archived: int = 0
    known: int = 0
    contradicting: int = 0
    expired: int = 0


@dataclass(slots=True)
class Keeper:
    """Writes the rows of one venue by `put`. Raises `StoreUnavailable`, `StoreRejected`."""

    database: Database
    put: Put
    venue: str
    clock: Clock
    archive_from_ns: int = 0
    arrived: Callable[[], Awaitable[None]] = in_place
    dense_ids: bool = True
    figures: dict[str, Figures] = field(default_factory=dict)
    _trades: dict[str, TradeKeeper] = field(default_factory=dict)
    _holed: HoledTradeKeeper = field(init=False)
    _kept_from_ns: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._holed = HoledTradeKeeper(self.database, self.put, self.archive_from_ns)

    async def prepare(self) -> None:
        """Wait until what was written before can be read, and learn how long rows live."""
        await self.settle_writes()
        now_ns = self.clock.now_ns()
        for record in await self.database.fetch(QUERIES["retention"]):
            lives_ns = as_int(record["ttl"]) * UNITS_NS[as_str(record["unit"])]
            self._kept_from_ns[as_str(record["table_name"])] = now_ns - lives_ns if lives_ns else 0

    async def settle_writes(self) -> None:
        """Wait until what was acknowledged can be read."""
        await self.arrived()
        await self.database.wait_applied(WRITTEN, 600.0)

    async def keep(self, rows: Sequence[Entry]) -> None:
        """Write what is new among these."""
        for symbol, trades in trades_by_symbol(rows).items():
            if self.dense_ids:
                for run in runs_of(trades):
                    await self._keep_run(symbol, run)
            else:
                for piece in pieces_of(trades):
                    await self._became(await self._holed.keep(piece), run_of(piece))
        for table, kind in (("quotes", Quote), ("books", Book)):
            events = [row for row in rows if isinstance(row, kind)]
            for symbol in sorted({event.symbol for event in events}):
                await self._keep_events(table, symbol, [event for event in events if event.symbol == symbol])
        for symbol in sorted({row.symbol for row in rows if isinstance(row, Funding)}):
            await self._keep_funding(symbol, [row for row in rows if isinstance(row, Funding) and row.symbol == symbol])
        await self._keep_refused([row for row in rows if isinstance(row, Row) and row.table == "quarantine"])

    def _of(self, table: str) -> Figures:
        return self.figures.setdefault(table, Figures(table))

    async def _keep_run(self, symbol: str, run: TradeRun) -> None:
        keeper = self._trades.get(symbol)
        if keeper is None:
            keeper = self._trades[symbol] = TradeKeeper(self.database, self.put, self.archive_from_ns)
        await self._became(await keeper.keep(run), run)

    async def _became(self, fate: Fate, run: TradeRun) -> None:
        figures = self._of("trades")
        figures.rows += len(run)
        figures.written += fate.written
        figures.archived += fate.archived
        figures.known += fate.known
        figures.contradicting += len(fate.contradicting)
        await self._keep_refused([self._contradiction(run, seq) for seq in fate.contradicting])

    async def _keep_events(self, table: str, symbol: str, events: Sequence[Quote | Book]) -> None:
        figures = self._of(table)
        young = [event for event in events if event.ts_ns >= self._kept_from_ns.get(table, 0)]
        figures.rows += len(events)
        figures.expired += len(events) - len(young)
        if not young:
            return
        times = [event.ts_ns for event in young]
        params: dict[str, Param] = {"venue": self.venue, "symbol": symbol}
        params |= {"from": to_datetime(min(times)), "to": to_datetime(max(times) + OVERLAP_NS)}
        records = await self.database.fetch(QUERIES[f"stored_{table}"], params)
        stored = {(as_int(record["ts_ns"]), as_int(record["update_id"])) for record in records}
        fresh = [event for event in young if (event.ts_ns, event.update_id) not in stored]
        figures.known += len(young) - len(fresh)
        figures.written += len(fresh)
        await self.put(fresh)

    async def _keep_funding(self, symbol: str, rates: Sequence[Funding]) -> None:
        figures = self._of("funding")
        times = [rate.ts_ns for rate in rates]
        params: dict[str, Param] = {"venue": self.venue, "symbol": symbol}
        params |= {"from": to_datetime(min(times)), "to": to_datetime(max(times) + OVERLAP_NS)}
        stored = {as_int(record["ts_ns"]) for record in await self.database.fetch(QUERIES["stored_funding"], params)}
        fresh = [rate for rate in rates if rate.ts_ns not in stored]
        figures.rows += len(rates)
        figures.known += len(rates) - len(fresh)
        figures.written += len(fresh)
        await self.put(fresh)

    async def _keep_refused(self, rows: Sequence[Row]) -> None:
        """A refused frame is the same row however often it is replayed: by its receipt and its digest."""
        if not rows:
            return
        figures = self._of("quarantine")
        young = [row for row in rows if row.ts_ns >= self._kept_from_ns.get("quarantine", 0)]
        figures.rows += len(rows)
        figures.expired += len(rows) - len(young)
        if not young:
            return
        times = [row.ts_ns for row in young]
        params: dict[str, Param] = {"venue": self.venue}
        params |= {"from": to_datetime(min(times)), "to": to_datetime(max(times) + OVERLAP_NS)}
        records = await self.database.fetch(QUERIES["stored_refused"], params)
        stored = {(as_int(each["ts_ns"]), as_str(each["channel"]), as_str(each["digest"])) for each in records}
        fresh = [row for row in young if refusal_of(row) not in stored]
        figures.known += len(young) - len(fresh)
        figures.written += len(fresh)
        await self.put(fresh)

    def _contradiction(self, run: TradeRun, seq: int) -> Row:
        place = run.seqs.index(seq)
        text = f"trade_id={seq},ts={run.times_ns[place]},price={run.prices[place]},amount={run.amounts[place]}"
        reason = "another trade is stored with this id; that one stays"
        raw = f"{text},side={run.sides[place]}"
        received_at_ns = run.receipts_ns[place]
        return Rejected("trades", "contradiction", reason, raw, received_at_ns, run.symbol).to_row(self.venue)

    async def account(self, player: Player) -> list[Row]:
        """Rows about holes that follow from what is stored now; call `settle_writes` first."""
        rows: list[Row] = []
        for symbol, keeper in self._trades.items():
            where = Where(self.venue, symbol, "trades")
            rows += await ImportAccount(self.database, where, self.clock, "replay").after_import(keeper.segments)
        outages: dict[str, list[Row]] = {}
        for row in player.outages:
            outages.setdefault(row.symbols["symbol"], []).append(row)
        for symbol in sorted({*outages, *[symbol for _, symbol in player.stretches]}):
            rows += await self._account_for(symbol, outages.get(symbol, []), player)
        figures = self._of("gaps")
        figures.rows = figures.written = len(rows)
        return rows

    async def _account_for(self, symbol: str, outages: Sequence[Row], player: Player) -> list[Row]:
        """Where no ids tell what is missing: close what the capture has, say what it has not either."""
        channels = WITHOUT_IDS if self.dense_ids else ("trades", *WITHOUT_IDS)
        whose: dict[str, Param] = {"venue": self.venue, "symbol": symbol}
        records = await self.database.fetch(RECOVERY["gaps"], whose)
        gaps = [gap for gap in (gap_of(record, self.venue, symbol) for record in records) if gap.channel in channels]
        healed = [] if self.dense_ids else await self.database.fetch(QUERIES["healed"], whose)
        known = [*gaps, *[healed_gap(record, self.venue, symbol) for record in healed]]
        rows = [row for row in outages if not is_recorded(row, known) and self._is_kept(row)]
        for channel in channels:
            for gap in gaps:
                is_kept = gap.started_at_ns >= self._kept_from_ns.get(channel, 0)
                if is_kept and gap.channel == channel and is_filled(gap, player.stretches.get((channel, symbol), [])):
                    assert gap.ended_at_ns is not None
                    rows.append(gap.closed("healed", "replay", gap.ended_at_ns, None).to_row(self.clock.now_ns()))
        return rows

    def _is_kept(self, outage: Row) -> bool:
        """Whether rows around it are old enough to be gone."""
        return gap_times(outage)[1] >= self._kept_from_ns.get(outage.symbols["channel"], 0)


def healed_gap(record: Record, venue: str, symbol: str) -> Gap:
    """What was missing of trades once, and is no more."""
    whose, started_ns, ended_ns = as_str(record["gap_id"]), as_int(record["started_ns"]), as_int(record["ended_ns"])
    return Gap(venue, symbol, "trades", "replay", whose, started_ns, ended_ns, status="healed")


def runs_of(trades: Sequence[Trade]) -> list[TradeRun]:
    """Trades of one symbol, in order of id, in columns; in pieces where their ids lie far apart."""
    cuts = [place for place in range(1, len(trades)) if trades[place].seq - trades[place - 1].seq > FAR_IDS]
    ends = zip([0, *cuts], [*cuts, len(trades)], strict=True)
    return [run_of(trades[start:end]) for start, end in ends if end > start]


def run_of(trades: Sequence[Trade]) -> TradeRun:
    """The same in columns; they came by a replay now."""
    columns = zip(*[(t.seq, t.side, t.price, t.amount, t.ts_ns, t.received_at_ns) for t in trades], strict=True)
    seqs, sides, prices, amounts, times_ns, receipts_ns = map(list, columns)
    return TradeRun(trades[0].venue, trades[0].symbol, "replay", seqs, sides, prices, amounts, times_ns, receipts_ns)


def refusal_of(row: Row) -> tuple[int, str, str]:
    """What of a `quarantine` row tells it from all others of a venue."""
    return row.ts_ns, row.symbols["channel"], as_str(row.columns["digest"])


def is_recorded(row: Row, gaps: Sequence[Gap]) -> bool:
    """Whether a gap that is stored says already that something is missing there."""
    started_ns, ended_ns = gap_times(row)
    return any(
        gap.channel == row.symbols["channel"]
        and gap.started_at_ns <= started_ns
        and (gap.ended_at_ns is None or gap.ended_at_ns >= ended_ns)
        for gap in gaps
    )


def is_filled(gap: Gap, stretches: Sequence[Stretch]) -> bool:
    """Whether a capture has all of what a closed gap of quotes or books misses."""
    return gap.ended_at_ns is not None and any(
        first <= gap.started_at_ns and gap.ended_at_ns <= last for first, last in stretches
    )
