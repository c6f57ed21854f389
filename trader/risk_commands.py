"""`ares risk …`: see, set and approve limits, through the trader's own port: it needs neither QuestDB nor the API."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import orjson
import typer

from ares.commands.output import console, print_rows
from ares.config import load_config
from trader.client import call

ANSWER_S_MAX = 15.0

app = typer.Typer(no_args_is_help=True, help="See and change the limits of orders.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Reason = Annotated[str, typer.Option(help="Why; it goes into the record.")]
Name = Annotated[str, typer.Argument(help="A limit, as ares risk limits names it.")]
Strategy = Annotated[str, typer.Option(help="Only for this strategy; can only tighten.")]
Symbol = Annotated[str, typer.Option(help="Only for this symbol; can only tighten.")]


@app.command()
def limits(json: Json = False) -> None:
    """Every limit as it holds, beside its setting, and what waits for a second person. Example: ares risk limits"""
    answer = call(load_config(), "limits", None, ANSWER_S_MAX)
    if json:
        console.print_json(orjson.dumps(answer).decode())
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
    words = {"name": name, "value": value, "reason": reason, "strategy": strategy, "symbol": symbol}
    _command("limit", words, json=json)


@app.command()
def reset(
    name: Name, reason: Reason = "by hand", *, strategy: Strategy = "", symbol: Symbol = "", json: Json = False
) -> None:
    """Let a limit's setting hold again. Example: ares risk reset position_quote_max"""
    _command("limit", {"name": name, "reason": reason, "strategy": strategy, "symbol": symbol}, json=json)


@app.command()
def approve(
    change_id: Annotated[str, typer.Argument(help="Of what another person asked for.")],
    reason: Reason = "by hand",
    json: Json = False,
) -> None:
    """Agree to a raised limit that another person asked for. Example: ares risk approve limit-0123456789abcdef"""
    _command("approve", {"id": change_id, "reason": reason}, json=json)


def _command(verb: str, words: Mapping[str, str], *, json: bool) -> None:
    answer = call(load_config(), verb, {"actor": getpass.getuser(), **words}, ANSWER_S_MAX)
    if json:
        console.print_json(orjson.dumps(answer).decode())
        return
    value = answer["value"] or "as the settings say"
    if answer["holds"]:
        console.print(f"{answer['name']}: {value} from the next cycle on", soft_wrap=True)
    else:
        console.print(
            f"{answer['name']}: {value} is asked for; another person must agree: ares risk approve {answer['id']}",
            soft_wrap=True,
        )
