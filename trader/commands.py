"""`ares trader …`: what a trader does by hand, through the trader's own port: it needs neither QuestDB nor the API."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import orjson
import typer

from ares.commands.output import console, print_rows
from ares.config import load_config
from trader.client import Answer, call
from trader.live.commands import app as live_app

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
