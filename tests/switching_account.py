"""What venue, journal, book and database say after a rehearsal of switches, side by side."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import aiohttp

from ares.store import Database
from tests.switching import ACCOUNT, SYMBOLS, VENUE, Place
from trader.execution.journal import OrderJournal
from trader.execution.ledger import Ledger
from trader.rows import Identity

COUNTED = """
SELECT symbol, count() AS stored, count_distinct(trade_id) AS ids, min(trade_id::long) AS first,
       max(trade_id::long) AS last
FROM trades WHERE venue = 'sim' GROUP BY symbol ORDER BY symbol
"""


@dataclass(frozen=True)
class Account:
    """What is true in the end. `ticks`: by symbol, issued since the first stored one, stored, different ids."""

    ticks: dict[str, tuple[int, int, int]]
    orders: int
    sent_twice: list[str]
    unknown_to_us: list[str]
    fencings: list[int]
    """Of the orders in the order in which the venue took them."""
    apart: list[str]
    """Orders of which book and venue say different things, or that are not over."""


async def accounted(there: Place) -> Account:
    """Compare venue, journal, book and database, once nothing is under way. Nobody may trade any more."""
    ticks = await _ticks(there)
    async with aiohttp.ClientSession(there.exchange) as http, http.get("/sim/orders") as answer:
        body = await answer.json()
    orders = cast("list[dict[str, str]]", body["orders"])
    submissions = cast("dict[str, int]", body["submissions"])
    control = there.control()
    try:
        ledger, journal = Ledger(control, Identity(ACCOUNT, VENUE)), OrderJournal(control, ACCOUNT)
        await ledger.load()
        left = await journal.load()
        fencings, strange = [], []
        apart = [f"{order.intent.order_id} is {order.state.value}" for order in left]
        for order in sorted(orders, key=lambda each: (int(each["time"]), int(each["orderId"]))):
            name = order["clientOrderId"]
            ours, events = await journal.find(name), control.read(f"order/{ACCOUNT}/{name}")
            if ours is None:
                strange.append(name)
                continue
            fencings.append(int(events[0].attributes["fencing"]))
            booked = ledger.portfolio.filled(ours.intent.order_id)
            if booked != Decimal(order["executedQty"]):
                apart.append(f"{name}: venue {order['executedQty']}, book {booked:f}")
        apart += [f"sold beyond the book: {ledger.excess:f}"] if ledger.excess else []
    finally:
        control.close()
    twice = [name for name, count in submissions.items() if count != 1]
    return Account(ticks, len(orders), twice, strange, fencings, apart)


async def _ticks(there: Place, seconds: float = 90.0) -> dict[str, tuple[int, int, int]]:
    """What the exchange issued until now, and what is stored of it once the collector has caught up."""
    issued: dict[str, int] = {}
    async with aiohttp.ClientSession(there.exchange) as http:
        for symbol in SYMBOLS:
            async with http.get("/sim/issued", params={"symbol": symbol.replace("/", "")}) as answer:
                issued[symbol] = int((await answer.json())["last"])
    deadline_s = time.monotonic() + seconds
    while True:
        async with await Database.connect(there.config, readonly=True) as database:
            rows = {str(row["symbol"]): row for row in await database.fetch(COUNTED)}
            ticks = {}
            for symbol, last in issued.items():
                first = int(str(rows[symbol]["first"]))
                beyond = await database.fetch_one(
                    "SELECT count() AS stored, count_distinct(trade_id) AS ids FROM trades "
                    "WHERE venue = 'sim' AND symbol = %(symbol)s AND trade_id::long <= %(last)s",
                    {"symbol": symbol, "last": last},
                )
                assert beyond is not None
                ticks[symbol] = (last - first + 1, int(str(beyond["stored"])), int(str(beyond["ids"])))
        if all(wanted == stored == ids for wanted, stored, ids in ticks.values()) or time.monotonic() > deadline_s:
            return ticks
        await asyncio.sleep(0.5)
