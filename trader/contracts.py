"""What only contracts have: positions that the venue counts too, funding, and orders that the venue gives for us."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ares.clock import DAY_NS, HOUR_NS
from ares.telemetry import get_logger
from trader.account import Account
from trader.portfolio.money import ZERO, to_scale
from trader.portfolio.portfolio import Portfolio
from trader.portfolio.positions import is_linear
from trader.venues.gateway import VenuePosition

LATE_NS = 8 * HOUR_NS
"""How much later than its moment a payment may be shown, after others that were paid later."""
TOLD_NS = 85 * DAY_NS
"""Payments are asked for no further back: the venue tells three months
(https://developers.binance.com/docs/derivatives/usds-margined-futures/account/rest-api/Get-Income-History).
"""
PAGES_MAX = 20
"""Pages of payments that are read in one look; the rest follows in the next."""

log = get_logger(__name__)


def differences(book: Portfolio, venue: Mapping[str, VenuePosition]) -> dict[str, tuple[Decimal, Decimal]]:
    """Contracts of which the venue holds something else than the book, as (book, venue), base, shorts below zero.

    Unlike coins, which may lie there for other reasons, a position comes of executions alone: any difference is one.
    """
    symbols = {p.symbol for p in book.positions() if is_linear(p.symbol)} | {s for s in venue if is_linear(s)}
    apart: dict[str, tuple[Decimal, Decimal]] = {}
    for symbol in sorted(symbols):
        ours = book.quantity(symbol)
        theirs = to_scale(venue[symbol].quantity) if symbol in venue else ZERO
        if ours != theirs:
            apart[symbol] = (ours, theirs)
    return apart


async def sweep_funding(account: Account) -> int:
    """Book payments that are not in the book; returns how many. Raises `VenueError`.

    Executions are swept before: a payment is shared out among those who held at its moment. None from before the book
    was opened is booked.
    """
    parts, booked = account.parts, 0
    ledger = parts.ledger
    since_ns = max(ledger.opened_at_ns, ledger.funded_to_ns - LATE_NS, parts.clock.now_ns() - TOLD_NS)
    for _ in range(PAGES_MAX):
        page = await parts.gateway.funding_after(since_ns)
        new = [payment for payment in page if payment.ts_ns >= ledger.opened_at_ns]
        for payment in new:
            booked += await ledger.book_funding(payment, parts.clock.now_ns())
        newest_ns = max((payment.ts_ns for payment in new), default=since_ns)
        if newest_ns == since_ns:
            break
        since_ns = newest_ns
    if booked:
        log.info("funding_swept", payments=booked)
    return booked
