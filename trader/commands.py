"""`ares trader …`: what a trader does by hand, through the trader's own port, which needs neither QuestDB nor the API;
and the report of a day, from QuestDB's rows alone.
"""

from __future__ import annotations

import asyncio
import dataclasses
import getpass
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, cast

import orjson
import typer

from ares.clock import DAY_NS, SystemClock, floor_ns, to_datetime
from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.errors import UsageError
from ares.store import Database
from trader.client import Answer, call
from trader.live.commands import app as live_app
from trader.report import Line, Report
from trader.report import report as read_report

STATUS_S_MAX = 5.0
COMMAND_S_MAX = 15.0
FLATTEN_S_MAX = 120.0

app = typer.Typer(no_args_is_help=True, help="See and command the trader.")
app.add_typer(live_app, name="live")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Reason = Annotated[str, typer.Option(help="Why; it goes into the record.")]


@app.command()
def status(json: Json = False) -> None:
    """State, open orders, positions, profit, lease. Example: ares trader status --json"""
    answer = call(load_config(), "status", None, STATUS_S_MAX)
    if json:
        console.print_json(orjson.dumps(answer).decode())
        return
    _print_status(answer)


@app.command()
def halt(reason: Reason = "by hand", json: Json = False) -> None:
    """Stop trading at once: no new orders, open ones are cancelled. Example: ares trader halt --reason "odd fills" """
    _command("halt", reason, COMMAND_S_MAX, json=json)


@app.command()
def resume(reason: Reason = "by hand", json: Json = False) -> None:
    """Trade again. Example: ares trader resume --reason "fills explained" """
    _command("resume", reason, COMMAND_S_MAX, json=json)


@app.command()
def flatten(
    reason: Reason = "by hand",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Sell every position at market and stay halted. Example: ares trader flatten --yes --reason "end of test" """
    if not yes:
        typer.confirm("Sell every position at market?", abort=True)
    _command("flatten", reason, FLATTEN_S_MAX, json=json)


Amount = Annotated[str, typer.Argument(help="How much, in the account's quote currency: 2500.50")]
MovementId = Annotated[str, typer.Option("--id", help="The movement's own id: told twice, it counts once.")]


@app.command()
def deposit(amount: Amount, movement_id: MovementId, reason: Reason = "by hand", json: Json = False) -> None:
    """Say that money came: capital, not profit. Example: ares trader deposit 2500 --id wire-7"""
    _move(_positive(amount), movement_id, reason, json=json)


@app.command()
def withdraw(amount: Amount, movement_id: MovementId, reason: Reason = "by hand", json: Json = False) -> None:
    """Say that money went: capital, not loss. Example: ares trader withdraw 500 --id wire-8"""
    _move(-_positive(amount), movement_id, reason, json=json)


@app.command()
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
        console.print_json(orjson.dumps(dataclasses.asdict(said), default=str).decode())
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
    said = {"actor": getpass.getuser(), "reason": reason, "id": movement_id, "amount": f"{amount:f}"}
    answer = call(load_config(), "capital", said, COMMAND_S_MAX)
    if json:
        console.print_json(orjson.dumps(answer).decode())
        return
    news = "capital" if answer["new"] else f"{movement_id} was written before; capital"
    console.print(f"{news} is {answer['capital']}", soft_wrap=True)


def _command(verb: str, reason: str, timeout_s: float, *, json: bool) -> None:
    answer = call(load_config(), verb, {"actor": getpass.getuser(), "reason": reason}, timeout_s)
    if json:
        console.print_json(orjson.dumps(answer).decode())
        return
    details = ", ".join(f"{name} {_plain(value)}" for name, value in answer.items() if name != "state")
    console.print(f"{verb}: the trader is {answer.get('state')} ({details})", soft_wrap=True)


def _print_status(answer: Answer) -> None:
    pnl = cast("Mapping[str, object]", answer["pnl_quote"])
    leading = f"leader until {answer['lease_expires_at']}" if answer["leader"] else "not the leader"
    ready = "ready" if answer["ready"] else "not ready"
    console.print(f"account {answer['account']} at {answer['venue']}: {answer['state']}, {ready}, {leading}")
    console.print(f"since {answer['state_since']} by {answer['state_actor']}: {answer['state_reason']}")
    profits = ", ".join(f"{kind} {value}" for kind, value in pnl.items())
    console.print(f"profit in quote: {profits}; cash {answer['cash']}")
    for name, title in (("positions", "Positions"), ("orders_open", "Open orders")):
        print_rows(cast("Sequence[Mapping[str, object]]", answer[name]), json=False, title=title)


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{k} {v}" for k, v in value.items()) or "nothing"
    return str(value)
