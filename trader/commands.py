"""`ares trader …`: what a trader does by hand, through the trader's own port: it needs neither QuestDB nor the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import typer

from ares.commands.output import console, print_rows
from ares.config import load_config
from ares.errors import UsageError
from trader.cli import COMMAND_S_MAX, LOOK_S_MAX, Json, Reason, command, print_answer, print_json
from trader.client import Answer, call
from trader.commands_books import deposit, report, withdraw
from trader.commands_orders import amend, order, preview
from trader.commands_why import explain, why
from trader.live.commands import app as live_app

FLATTEN_S_MAX = 120.0

app = typer.Typer(no_args_is_help=True, help="See and command the trader.")
app.add_typer(live_app, name="live")


@app.command()
def status(json: Json = False) -> None:
    """State, open orders, positions, profit, lease. Example: ares trader status --json"""
    answer = call(load_config(), "status", None, LOOK_S_MAX)
    if json:
        print_json(answer)
        return
    _print_status(answer)


@app.command()
def halt(reason: Reason = "by hand", json: Json = False) -> None:
    """Stop trading at once: no new orders, open ones are cancelled. Example: ares trader halt --reason "odd fills" """
    print_answer("halt", command("halt", reason, COMMAND_S_MAX), json=json)


@app.command()
def resume(
    strategy: Annotated[str, typer.Argument(help="The strategy that rests; without one all trading.")] = "",
    reason: Reason = "by hand",
    json: Json = False,
) -> None:
    """Trade again: all, or a strategy that rests. Example: ares trader resume --reason "fills explained" """
    print_answer("resume", command("resume", reason, COMMAND_S_MAX, strategy=strategy), json=json)


@app.command()
def pause(
    strategy: Annotated[str, typer.Argument(help="Its name in trading.strategies.")],
    reason: Reason = "by hand",
    json: Json = False,
) -> None:
    """Let one strategy rest, its position as it is. Example: ares trader pause signal_momentum --reason "new model" """
    print_answer("pause", command("pause", reason, COMMAND_S_MAX, strategy=strategy), json=json)


@app.command()
def cancel(
    order_id: Annotated[str, typer.Argument(help="As `ares trader status` lists it.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every open order.")] = False,
    reason: Reason = "by hand",
    json: Json = False,
) -> None:
    """Ask the venue for the end of an order. Example: ares trader cancel --all --reason "stale quotes" """
    if every is bool(order_id):
        raise UsageError(
            f"order_id = {order_id!r}: give the id of one order, or --all; `ares trader status` lists them"
        )
    print_answer("cancel", command("cancel", reason, COMMAND_S_MAX, order_id=order_id), json=json)


@app.command()
def flatten(
    reason: Reason = "by hand",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Sell every position at market and stay halted. Example: ares trader flatten --yes --reason "end of test" """
    if not yes:
        typer.confirm("Sell every position at market?", abort=True)
    print_answer("flatten", command("flatten", reason, FLATTEN_S_MAX), json=json)


@app.command()
def alive(json: Json = False) -> None:
    """Say that somebody is there, for the dead man's timer (trading.dead_man_s). Example: ares trader alive"""
    print_answer("alive", command("alive", "", COMMAND_S_MAX), json=json)


for each in (preview, order, amend, why, explain, deposit, withdraw, report):
    app.command()(each)


def _print_status(answer: Answer) -> None:
    pnl = cast("Mapping[str, object]", answer["pnl_quote"])
    leading = f"leader until {answer['lease_expires_at']}" if answer["leader"] else "standing by"
    ready = "ready" if answer["ready"] else "not ready"
    console.print(
        f"account {answer['account']} ({answer['color']}) at {answer['venue']}: {answer['state']}, {ready}, {leading}"
    )
    console.print(f"since {answer['state_since']} by {answer['state_actor']}: {answer['state_reason']}")
    for strategy, rest in cast("Mapping[str, Mapping[str, object]]", answer["paused"]).items():
        console.print(f"{strategy} rests since {rest['since']} by {rest['actor']}: {rest['reason']}")
    profits = ", ".join(f"{kind} {value}" for kind, value in pnl.items())
    console.print(f"profit in quote: {profits}; cash {answer['cash']}, capital {answer['capital']}")
    rates = cast("Sequence[Mapping[str, object]]", answer["venue_rates"])
    used = ", ".join(f"{r['used']} of {r['limit']} {r['kind']} in {r['interval_s']} s" for r in rates)
    console.print(f"used of what the venue allows: {used or 'nothing is counted'}")
    for name, title in (("positions", "Positions"), ("orders_open", "Open orders"), ("plans", "Plans under way")):
        print_rows(cast("Sequence[Mapping[str, object]]", answer[name]), json=False, title=title)
