"""`ares trader live …`: ask for trading with real money, agree to it, take it back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import orjson
import typer

from ares.clock import SystemClock
from ares.commands.access import opened_control
from ares.commands.output import console
from ares.commands.who import operator
from ares.errors import ConfigError
from trader.execution.state import TradingStates
from trader.live.agreements import Agreement, Agreements
from trader.live.settings import Terms, require_meant, terms_of
from trader.risk import TradingState

app = typer.Typer(no_args_is_help=True, help="Trade with real money: one person asks, another one agrees.")

Reason = Annotated[str, typer.Option(help="Why; it stands in the audit chain.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@app.command()
def request(reason: Reason) -> None:
    """Ask for the terms of the settings. Example: ares trader live request --reason "a month on paper went well" """
    with _opened() as (terms, agreements):
        agreements.request(terms, operator(), reason)
        _show(terms)
    console.print(f"asked for by {operator()}. Another person agrees with `ares trader live approve --reason …`")


@app.command()
def approve(reason: Reason) -> None:
    """Agree to what somebody else asked for. Example: ares trader live approve --reason "limits are right" """
    with _opened() as (terms, agreements):
        agreement = agreements.approve(terms, operator(), reason)
        _show(terms)
    console.print(f"asked for by {agreement.requested_by}, agreed to by {agreement.approved_by}: it may be traded")


@app.command()
def withdraw(reason: Reason) -> None:
    """Take it back; the trader is halted. Example: ares trader live withdraw --reason "a limit is too high" """
    with opened_control() as (context, control):
        account, clock = context.config.trading.account, SystemClock()
        Agreements(control, account, clock).withdraw(operator(), reason)
        states = TradingStates(control, account, clock)
        asyncio.run(states.change(TradingState.HALTED, operator(), reason, clock.now_ns()))
    console.print("withdrawn; the trader is HALTED")


@app.command()
def status(json: Json = False) -> None:
    """What may be traded with real money, and who agreed. Example: ares trader live status"""
    with opened_control() as (context, control):
        terms, problem = terms_of(context.config), ""
        try:
            require_meant(context.config)
        except ConfigError as error:
            problem = str(error)
        agreement = Agreements(control, context.config.trading.account, SystemClock()).current()
    if json:
        console.print_json(orjson.dumps(_facts(terms, problem, agreement)).decode())
        return
    if terms is not None:
        _show(terms)
    console.print(problem or _sentence(terms, agreement), soft_wrap=True)


@contextmanager
def _opened() -> Iterator[tuple[Terms, Agreements]]:
    """The terms of the settings and the account's agreement. Raises `ConfigError` where nothing could be agreed to."""
    with opened_control() as (context, control):
        trading = context.config.trading
        require_meant(context.config)
        terms = terms_of(context.config)
        if terms is None:
            way_out = "Nothing has to be agreed to: just trade"
            raise ConfigError("trading.venue", trading.venue, "moves no money", way_out)
        yield terms, Agreements(control, trading.account, SystemClock())


def _show(terms: Terms) -> None:
    console.print(f"terms {terms.digest}: account {terms.account} at {terms.venue}")
    for strategy in terms.strategies:
        console.print(f"  strategy {strategy} at target 1, per symbol")
    for name, limit in terms.limits:
        console.print(f"  {name} {limit}")


def _sentence(terms: Terms | None, agreement: Agreement) -> str:
    if terms is None:
        return "no money is at stake: nothing has to be agreed to"
    if agreement.covers(terms):
        return f"asked for by {agreement.requested_by}, agreed to by {agreement.approved_by}"
    if agreement.state == "nothing":
        return "nobody asked for it: `ares trader live request`"
    if agreement.terms != terms.digest:
        return f"what was {agreement.state} were other terms ({agreement.terms}): `ares trader live request` asks anew"
    return f"asked for by {agreement.requested_by}; another person has to agree: `ares trader live approve`"


def _facts(terms: Terms | None, problem: str, agreement: Agreement) -> dict[str, object]:
    return {
        "terms": None if terms is None else {"digest": terms.digest, **terms.as_json()},
        "problem": problem,
        "state": agreement.state,
        "requested_by": agreement.requested_by,
        "approved_by": agreement.approved_by,
        "holds": terms is not None and not problem and agreement.covers(terms),
    }
