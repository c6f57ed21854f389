"""`ares risk …`: see, set and approve limits, through the trader's own port: it needs neither QuestDB nor the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import typer

from ares.commands.output import console, print_rows
from ares.config import load_config
from trader.cli import COMMAND_S_MAX, Json, Reason, command, print_json
from trader.client import Answer, call

app = typer.Typer(no_args_is_help=True, help="See and change the limits of orders.")

Name = Annotated[str, typer.Argument(help="A limit, as ares risk limits names it.")]
Strategy = Annotated[str, typer.Option(help="Only for this strategy; can only tighten.")]
Symbol = Annotated[str, typer.Option(help="Only for this symbol; can only tighten.")]


@app.command()
def limits(json: Json = False) -> None:
    """Every limit as it holds, beside its setting, and what waits for a second person. Example: ares risk limits"""
    answer = call(load_config(), "limits", None, COMMAND_S_MAX)
    if json:
        print_json(answer)
        return
    found = cast("Sequence[Mapping[str, object]]", answer["limits"])
    print_rows(found, json=False, title="Limits")
    for each in found:
        if each["set_by"] and each["value"] != each["configured"] and not (each["strategy"] or each["symbol"]):
            setting = each["configured"] or "not limited"
            console.print(
                f"{each['name']}: {each['value']} was set by {each['set_by']} and holds; the setting is {setting}. "
                f"ares risk reset {each['name']} lets it hold again",
                soft_wrap=True,
            )
    asked = cast("Sequence[Mapping[str, object]]", answer["asked"])
    if asked:
        print_rows(asked, json=False, title="Waiting for a second person: ares risk approve ID")


@app.command("set")
def set_limit(
    name: Name,
    value: Annotated[str, typer.Argument(help="In the limit's unit, above 0.")],
    reason: Annotated[str, typer.Option(help="Why; it goes into the record.")],
    *,
    strategy: Strategy = "",
    symbol: Symbol = "",
    json: Json = False,
) -> None:
    """Set a limit from the next cycle on. Example: ares risk set position_quote_max 2000 --reason "thin books" """
    _tell(command("limit", reason, COMMAND_S_MAX, name=name, value=value, strategy=strategy, symbol=symbol), json=json)


@app.command()
def reset(
    name: Name, reason: Reason = "by hand", *, strategy: Strategy = "", symbol: Symbol = "", json: Json = False
) -> None:
    """Let a limit's setting hold again. Example: ares risk reset position_quote_max"""
    _tell(command("limit", reason, COMMAND_S_MAX, name=name, strategy=strategy, symbol=symbol), json=json)


@app.command()
def approve(
    change_id: Annotated[str, typer.Argument(help="Of what another person asked for.")],
    reason: Reason = "by hand",
    json: Json = False,
) -> None:
    """Agree to a raised limit that another person asked for. Example: ares risk approve limit-0123456789abcdef"""
    _tell(command("approve", reason, COMMAND_S_MAX, id=change_id), json=json)


def _tell(answer: Answer, *, json: bool) -> None:
    if json:
        print_json(answer)
        return
    value = answer["value"] or "as the settings say"
    if answer["holds"]:
        console.print(f"{answer['name']}: {value} from the next cycle on", soft_wrap=True)
    else:
        console.print(
            f"{answer['name']}: {value} is asked for; another person must agree: ares risk approve {answer['id']}",
            soft_wrap=True,
        )
