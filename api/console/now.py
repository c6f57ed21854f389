"""Whether trading is on, as the trader says it now, and what its account is worth."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from api.console.bounds import figure_of
from api.console.formats import moment, number
from api.console.tables import badge, facts, nothing, signed
from api.console.trader import said_of, told_or_why
from api.console.view import View
from api.moments import moment_ns
from ares.control import Json
from ares.errors import StoreError
from ares.store import Record

Facts = list[tuple[str, str | Markup]]


async def trading_now(view: View) -> Markup:
    """What the trader says, with or without a database; where none answers, what the rows say of its account."""
    answer, why_not = await told_or_why(view, "status")
    account = view.house.parts.config().trading.account
    try:
        states, equity = await asyncio.gather(
            view.rows("trading-state", 1, account=account), view.rows("equity", 1, account=account)
        )
    except StoreError as error:
        if answer is not None:
            return facts(state_told(answer, view))
        either = f"The database does not answer either: {error}."
        return Markup('<p class="failed" role="status">{} {}</p>').format(_silent(why_not), either)
    if answer is not None:
        return facts([*state_told(answer, view), *worth(equity)])
    silent = Markup('<p class="failed" role="status">{}</p>').format(_silent(why_not))
    return Markup("{}{}").format(silent, of_rows(states, equity, view))


def _silent(why_not: str) -> str:
    return f"{why_not} Halting needs the trader."


def state_told(answer: Mapping[str, Json], view: View) -> Facts:
    """Whether it trades, since when, by whom, and whether this trader may."""
    since = said_of(answer, "state_since")
    at = moment(moment_ns("since", since), view.zone, now_ns=view.house.parts.clock.now_ns()) if since else ""
    profit = answer.get("pnl_quote")
    orders = answer.get("orders_open")
    shown: Facts = [
        ("State", badge(said_of(answer, "state"))),
        ("Since", at),
        ("By", said_of(answer, "state_actor")),
        ("Reason", said_of(answer, "state_reason") or "none given"),
        ("Account", f"{said_of(answer, 'account')} on {said_of(answer, 'venue')}"),
        ("Trader", badge("ready" if answer.get("ready") and answer.get("leader") else "not leading")),
        ("Today", signed(figure_of(profit.get("day")) if isinstance(profit, dict) else None)),
        ("Open orders", str(len(orders)) if isinstance(orders, list) else ""),
    ]
    paused = answer.get("paused")
    rests = ", ".join(paused) if isinstance(paused, dict) else ""
    if rests:
        shown.append(("Strategies that rest", rests))
    if answer.get("maintenance"):
        shown.append(("Maintenance", badge("warn")))
    return shown


def of_rows(states: Sequence[Record], equity: Sequence[Record], view: View) -> Markup:
    """The same by rows: whether trading was on when the trader last said so, and what the account was worth."""
    if not states and not equity:
        return nothing("No trader has run here yet.")
    shown: Facts = []
    if states:
        newest = states[0]
        why = f"{newest['actor']}: {newest['reason']}" if newest["reason"] else str(newest["actor"])
        since = moment(newest["ts"], view.zone, now_ns=view.house.parts.clock.now_ns())
        shown += [("It last was", badge(str(newest["state"]))), ("Since", since), ("By", why)]
        shown += [("Today", signed(equity[0]["day_pnl_quote"]))] if equity else []
    return facts([*shown, *worth(equity)])


def worth(equity: Sequence[Record]) -> Facts:
    """What an account is worth, by its newest row, if there is one."""
    if not equity:
        return []
    row = equity[0]
    return [
        (f"Equity, {row['quote_currency']}", number(row["equity_quote"], 2)),
        ("At risk", number(row["gross_exposure_quote"], 2)),
        ("Cash", number(row["cash"], 2)),
    ]
