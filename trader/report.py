"""A day of an account, from its rows alone: what each strategy did, and what became of the account's worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_float, as_int, as_str
from trader.portfolio.money import ZERO, from_market, product, to_scale

QUERIES = load_queries("trader", "queries/report.sql")


@dataclass(frozen=True, slots=True)
class Line:
    """What a strategy, or all together, did in the day. Quote currency.

    `fees` are in the realised profits already; `funding` is not. None: nobody knows, for a mark is missing, or the rows
    are of a release that did not write it.
    """

    strategy: str
    fills: int
    volume: Decimal
    fees: Decimal
    funding: Decimal
    realised: Decimal
    realised_fifo: Decimal | None
    unrealised: Decimal | None


@dataclass(frozen=True, slots=True)
class AccountDay:
    """What the account was worth at the day's start and end, what came or went, and how far it fell from its best.

    Quote currency; None where no cycle wrote it down.
    """

    equity_start: Decimal | None
    equity_end: Decimal | None
    moved: Decimal | None
    drawdown: Decimal | None


@dataclass(frozen=True, slots=True)
class Report:
    """One day (UTC) of one account."""

    account: str
    day: str
    lines: tuple[Line, ...]
    total: Line
    worth: AccountDay


async def report(database: Database, account: str, day: datetime) -> Report:
    """The report of the UTC day that begins at `day`; of one that runs, up to now. Raises `StoreError`."""
    end_of_day = day + timedelta(days=1)
    span: dict[str, Param] = {"account": account, "from": day, "to": end_of_day}
    rows = await database.fetch(QUERIES["positions"], span)
    before = await database.fetch_one(QUERIES["equity_before"], {"account": account, "at": day})
    start = before or await database.fetch_one(QUERIES["equity_first"], span)
    end = await database.fetch_one(QUERIES["equity_before"], {"account": account, "at": end_of_day})
    since = day if before is None else before["ts"]
    assert isinstance(since, datetime), "ts is a moment"
    fell = await database.fetch_one(QUERIES["drawdown"], {**span, "from": since})
    names = sorted({as_str(row["strategy"]) for row in rows})
    return Report(
        account=account,
        day=f"{day:%Y-%m-%d}",
        lines=tuple(_line(name, [row for row in rows if row["strategy"] == name]) for name in names),
        total=_line("total", rows),
        worth=_worth(start, end, fell),
    )


def _line(name: str, rows: Sequence[Record]) -> Line:
    fifo = [_amount(row["realised_fifo_quote"]) for row in rows]
    unrealised = [_unrealised(row) for row in rows]
    return Line(
        strategy=name,
        fills=sum(as_int(row["fills"]) for row in rows),
        volume=_sum(rows, "volume_quote"),
        fees=_sum(rows, "fees_quote"),
        funding=_sum(rows, "funding_quote"),
        realised=_sum(rows, "realised_quote"),
        realised_fifo=_whole(fifo),
        unrealised=_whole(unrealised),
    )


def _unrealised(row: Record) -> Decimal | None:
    quantity, cost = _known(row["quantity"]), _known(row["cost_basis"])
    if not quantity:
        return ZERO
    return None if row["mark"] is None else product(quantity, from_market(as_float(row["mark"]))) - cost


def _worth(start: Record | None, end: Record | None, fell: Record | None) -> AccountDay:
    began, ended = (None if row is None else _amount(row["capital_quote"]) for row in (start, end))
    drawdown = None if fell is None or fell["drawdown_quote"] is None else as_float(fell["drawdown_quote"])
    return AccountDay(
        equity_start=None if start is None else _amount(start["equity_quote"]),
        equity_end=None if end is None else _amount(end["equity_quote"]),
        moved=None if began is None or ended is None else ended - began,
        drawdown=None if drawdown is None else to_scale(from_market(drawdown)),
    )


def _sum(rows: Sequence[Record], name: str) -> Decimal:
    return sum((_known(row[name]) for row in rows), ZERO)


def _whole(parts: Sequence[Decimal | None]) -> Decimal | None:
    """Their sum, if each is known."""
    known = [part for part in parts if part is not None]
    return sum(known, ZERO) if len(known) == len(parts) else None


def _amount(cell: object) -> Decimal | None:
    assert cell is None or isinstance(cell, Decimal), "money comes as decimals"
    return cell


def _known(cell: object) -> Decimal:
    assert isinstance(cell, Decimal), "the column has no NULL"
    return cell
