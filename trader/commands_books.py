"""`ares trader deposit`, `withdraw` and `report`: what came and went, and what a day brought."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from ares.clock import DAY_NS, SystemClock, floor_ns, to_datetime
from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.errors import UsageError
from ares.store import Database
from trader.cli import COMMAND_S_MAX, Json, Reason, command, print_json
from trader.report import Line, Report
from trader.report import report as read_report

Amount = Annotated[str, typer.Argument(help="How much, in the account's quote currency: 2500.50")]
MovementId = Annotated[str, typer.Option("--id", help="The movement's own id: told twice, it counts once.")]


def deposit(amount: Amount, movement_id: MovementId, reason: Reason = "by hand", json: Json = False) -> None:
    """Say that money came: capital, not profit. Example: ares trader deposit 2500 --id wire-7"""
    _move(_positive(amount), movement_id, reason, json=json)


def withdraw(amount: Amount, movement_id: MovementId, reason: Reason = "by hand", json: Json = False) -> None:
    """Say that money went: capital, not loss. Example: ares trader withdraw 500 --id wire-8"""
    _move(-_positive(amount), movement_id, reason, json=json)


def report(
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The UTC day, 2026-11-23; default: today.")
    ] = None,
    json: Json = False,
) -> None:
    """What each strategy did in a day and what became of it. Example: ares trader report --day 2026-11-23 --json"""
    config = load_config()
    now_ns = SystemClock().now_ns()
    begin = to_datetime(floor_ns(now_ns, DAY_NS)) if day is None else day.replace(tzinfo=UTC)
    if begin > to_datetime(now_ns):
        raise UsageError(f"--day = {begin:%Y-%m-%d}: that day has not begun (UTC). Name today or a day before")
    said = asyncio.run(_read_report(config, begin))
    if json:
        print_json(dataclasses.asdict(said))
        return
    _print_report(said)


async def _read_report(config: AresConfig, day: datetime) -> Report:
    async with await Database.connect(config.database, readonly=True) as database:
        return await read_report(database, config.trading.account, day)


def _print_report(said: Report) -> None:
    worth = said.worth
    console.print(f"account {said.account} on {said.day} (UTC), in quote currency")
    console.print(
        f"equity {_known(worth.equity_start)} → {_known(worth.equity_end)}, came or went {_known(worth.moved)},"
        f" largest drawdown {_known(worth.drawdown)}"
    )
    print_rows([_shown(line) for line in (*said.lines, said.total)], json=False, title="Strategies")


def _shown(line: Line) -> dict[str, object]:
    return {name: "unknown" if value is None else value for name, value in dataclasses.asdict(line).items()}


def _known(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount.normalize():f}"


def _positive(text: str) -> Decimal:
    """An amount as it was typed. Raises `UsageError`."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and amount > 0):
        raise UsageError(f"amount = {text!r}: a number above 0 is expected, in quote currency, such as 2500.50")
    return amount


def _move(amount: Decimal, movement_id: str, reason: str, *, json: bool) -> None:
    answer = command("capital", reason, COMMAND_S_MAX, id=movement_id, amount=f"{amount:f}")
    if json:
        print_json(answer)
        return
    news = "capital" if answer["new"] else f"{movement_id} was written before; capital"
    console.print(f"{news} is {answer['capital']}", soft_wrap=True)
