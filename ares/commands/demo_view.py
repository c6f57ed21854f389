"""The live view of the demo: what flows, what was decided, where to look further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ares.commands.demo_report import QUERIES, pnl_quote
from ares.commands.output import cell_text
from ares.store import Database, Record

READY_MADE = (
    "SELECT * FROM signals LATEST ON ts PARTITION BY strategy, symbol",
    "SELECT ts, symbol, open, high, low, close, volume FROM bars_1m LIMIT -10",
    "SELECT ts, strategy, symbol, action, rule, observed, limit_value, reason FROM decisions LIMIT -10",
)


@dataclass(slots=True)
class Snapshot:
    """All that one refresh shows."""

    rates: list[Record] = field(default_factory=list)
    counts: Record = field(default_factory=dict)
    signals: list[Record] = field(default_factory=list)
    orders: list[Record] = field(default_factory=list)
    positions: list[Record] = field(default_factory=list)
    decisions: list[Record] = field(default_factory=list)
    pnl_quote: float | None = None


async def take_snapshot(database: Database) -> Snapshot:
    """Ask the database, as any user would."""
    return Snapshot(
        rates=await database.fetch(QUERIES["tick_rates"]),
        counts=await database.fetch_one(QUERIES["counts"]) or {},
        signals=await database.fetch(QUERIES["signals_now"]),
        orders=await database.fetch(QUERIES["orders_open"]),
        positions=await database.fetch(QUERIES["positions_now"]),
        decisions=await database.fetch(QUERIES["decisions_last"]),
        pnl_quote=await pnl_quote(database),
    )


def render(snapshot: Snapshot, seconds: float, addresses: Sequence[str], notes: Sequence[str]) -> Group:
    """The whole screen."""
    pnl = "–" if snapshot.pnl_quote is None else f"{snapshot.pnl_quote:+.2f}"
    counts = snapshot.counts
    flow = Text(
        f"trades {counts.get('trades_stored', 0):,}   quotes {counts.get('quotes_stored', 0):,}   "
        f"books {counts.get('books_stored', 0):,}   1m bars {counts.get('bars_1m', 0):,}   "
        f"features {counts.get('features', 0)}   signals {counts.get('signals', 0):,}   "
        f"decisions {counts.get('decisions', 0)} ({counts.get('refusals', 0)} refused)   "
        f"orders {counts.get('orders', 0)}   fills {counts.get('fills', 0)}   PnL {pnl}"
    )
    return Group(
        Panel(flow, title=f"Ares · {seconds:.0f} s", title_align="left"),
        _table("market", snapshot.rates, "waiting for the first trade"),
        _table("signals", snapshot.signals, "history is being backfilled, frozen and learned from"),
        _table("decisions", snapshot.decisions, "the trader waits for signals"),
        _table("open orders", snapshot.orders, "none"),
        _table("positions", snapshot.positions, "flat"),
        Panel(Text("\n".join([*addresses, "", *READY_MADE])), title="look yourself", title_align="left"),
        Text("\n".join(notes[-3:]), style="dim"),
    )


def one_line(snapshot: Snapshot, seconds: float) -> str:
    """The same for a log: one line."""
    rate = sum(float(str(row["trades_per_s"])) for row in snapshot.rates)
    counts = snapshot.counts
    pnl = "-" if snapshot.pnl_quote is None else f"{snapshot.pnl_quote:+.2f}"
    return (
        f"{seconds:5.0f} s  {rate:5.1f} trades/s  trades {counts.get('trades_stored', 0)}  "
        f"bars {counts.get('bars_1m', 0)}  features {counts.get('features', 0)}  signals {counts.get('signals', 0)}  "
        f"decisions {counts.get('decisions', 0)}  orders {counts.get('orders', 0)}  fills {counts.get('fills', 0)}  "
        f"pnl {pnl}"
    )


def _table(title: str, rows: Sequence[Record], empty: str) -> Table | Text:
    if not rows:
        return Text(f"{title}: {empty}", style="dim")
    table = Table(title=title, title_justify="left", expand=False)
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(cell_text(value) for value in row.values()))
    return table
