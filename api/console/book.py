"""Depth and tape of an instrument as HTML. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from markupsafe import Markup

from api.console.formats import Steps, moment, number
from api.console.tables import Reader, nothing
from ares.store import Record, Value

LEVELS = 12


def depth(book: Record | None, steps: Steps, aged: Markup | None = None) -> Markup:
    """The best levels of a book: how much stands at each price, and up to it; above them `aged`, how old it is."""
    bids, asks = levels(book["bids"] if book else None), levels(book["asks"] if book else None)
    if not bids and not asks:
        return nothing("No book came within the last day.")
    most = max((sum(amount for _, amount in side) for side in (bids, asks)), default=0.0) or 1.0
    return Markup('{}<div class="scrolls" tabindex="0" role="region" aria-label="Depth">{}{}</div>').format(
        aged or "",
        _side("asks", "Asks", list(reversed(_summed(asks))), steps, most),
        _side("bids", "Bids", _summed(bids), steps, most),
    )


def levels(side: Value) -> list[tuple[float, float]]:
    """Prices and amounts of a side, best first.

    >>> levels([[100.0, 99.0], [1.0, 2.5]]), levels(None)
    ([(100.0, 1.0), (99.0, 2.5)], [])
    """
    if not isinstance(side, list) or len(side) != 2:
        return []
    prices, amounts = side
    if not isinstance(prices, list) or not isinstance(amounts, list):
        return []
    pairs = zip(prices, amounts, strict=False)
    return [(float(str(price)), float(str(amount))) for price, amount in pairs][:LEVELS]


def _summed(side: Sequence[tuple[float, float]]) -> list[tuple[float, float, float]]:
    sums = accumulate(amount for _, amount in side)
    return [(price, amount, total) for (price, amount), total in zip(side, sums, strict=True)]


def _side(name: str, caption: str, side: Sequence[tuple[float, float, float]], steps: Steps, most: float) -> Markup:
    rows = Markup("").join(
        Markup(
            '<tr><td class="right">{}</td><td class="right">{}</td>'
            '<td class="right"><i class="of" style="width:{}%"></i><span>{}</span></td></tr>'
        ).format(
            number(price, steps.price),
            number(amount, steps.amount),
            f"{min(100.0, total / most * 100):.1f}",
            number(total, steps.amount),
        )
        for price, amount, total in side
    )
    return Markup(
        '<table class="depth"><caption class="unseen">{}</caption><thead><tr><th scope="col" class="right">{}</th>'
        '<th scope="col" class="right">Amount</th><th scope="col" class="right">Sum</th></tr></thead>'
        '<tbody class="{}">{}</tbody></table>'
    ).format(caption, caption, name, rows)


def tape(trades: Sequence[Record], steps: Steps, reader: Reader) -> Markup:
    """The newest public trades."""
    if not trades:
        return nothing("No trade came within the last day.")
    rows = Markup("").join(
        Markup('<tr><td>{}</td><td class="right {}">{}</td><td class="right">{}</td></tr>').format(
            moment(row["ts"], reader.zone, now_ns=reader.now_ns),
            "up" if row["side"] == "buy" else "down",
            Markup('<span class="unseen">{} </span>{}').format(row["side"], number(row["price"], steps.price)),
            number(row["amount"], steps.amount),
        )
        for row in trades
    )
    return Markup(
        '<div class="scrolls" tabindex="0" role="region" aria-label="Trades"><table><caption class="unseen">Trades'
        '</caption><thead><tr><th scope="col">Time</th><th scope="col" class="right">Price</th>'
        '<th scope="col" class="right">Amount</th></tr></thead><tbody>{}</tbody></table></div>'
    ).format(rows)
