"""`ares deploy …`: let the trader of another colour, of another release say, lead; and go back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, cast
from urllib.parse import urlencode

import typer

from ares.clock import SystemClock
from ares.commands.output import console, print_rows
from ares.commands.who import operator
from ares.config import AresConfig, load_config
from ares.errors import OperatingError
from ares.service.trader_door import TraderPlace, colors_here
from ares.service.types import color_named
from trader.cli import Json, print_json
from trader.client import Answer, call_at
from trader.handover.switching import Ask, Caller, NotSwitched, Result, Switching

VERIFY_S_MAX = 30.0
LOOK_S_MAX = 3.0
BY_VERB = {"switch": VERIFY_S_MAX, "rollback": 15.0}
SHOWN = ("color", "release", "leads", "ready", "doing", "fencing", "lease_s", "kept_for", "way_back")

app = typer.Typer(no_args_is_help=True, help="Blue and green: let another trader of the account lead, and go back.")

Reason = Annotated[str, typer.Option(help="Why; it goes into the record.")]
Despite = Annotated[
    list[str] | None, typer.Option(help="A check, or a setting that differs, that is meant to be so: alerts.")
]


@app.command()
def status(json: Json = False) -> None:
    """Who leads and who stands by, of the traders that run here. Example: ares deploy status"""
    config = load_config()
    switching = _switching(config, "looked", lambda _: None)
    told = {color: switching.told(color) or {"doing": "does not answer"} for color in _colors(config)}
    rows = [{**{name: each.get(name) for name in SHOWN}, "color": color} for color, each in told.items()]
    print_rows(rows, json=json)


@app.command()
def verify(
    color: Annotated[str, typer.Option(help="Which trader; without one the only one that stands by.")] = "",
    despite: Despite = None,
    json: Json = False,
) -> None:
    """Whether a trader may take over; exit 1 if not. Example: ares deploy verify --color green"""
    config = load_config()
    meant = color_named("color", color) if color else _standing_by(config)
    query = urlencode({"despite": ",".join(despite or [])})
    answer = _ask(config)(meant, f"verify?{query}", None)
    checks = cast("Sequence[Mapping[str, object]]", answer["checks"])
    door: dict[str, object] = {"check": "door", "status": "ok", "observed": f"{meant} answers", "way_out": ""}
    print_rows([door, *checks], json=json)
    failed = [str(each["check"]) for each in checks if each["status"] == "fail"]
    if failed:
        raise OperatingError(f"{meant} may not take over: {', '.join(failed)}")


@app.command()
def switch(
    to: Annotated[str, typer.Option(help="The colour that shall lead.")],
    reason: Reason,
    watch: Annotated[
        float, typer.Option(help="Seconds that it is watched for; if it is not well it goes back.")
    ] = 30.0,
    despite: Despite = None,
    json: Json = False,
) -> None:
    """Let a trader take over. Example: ares deploy switch --to green --reason "release 0.2.0" """
    config = load_config()
    switching = _switching(config, reason, _silent if json else _say)
    result = switching.switch(color_named("to", to), ",".join(despite or []), watch)
    _print_result(result, json=json)
    if result.trouble:
        raise NotSwitched(
            f"to = {to!r}: {result.trouble}. {result.leader} leads again, {result.back_s or 0:.1f} s later"
        )


@app.command()
def rollback(
    reason: Reason,
    to: Annotated[str, typer.Option(help="The colour that shall lead again; without one the one before.")] = "",
    json: Json = False,
) -> None:
    """Let the trader lead that led before, at once. Example: ares deploy rollback --reason "odd fills" """
    config = load_config()
    switching = _switching(config, reason, _silent if json else _say)
    result = switching.rollback(color_named("to", to) if to else switching.way_back())
    _print_result(result, json=json)


def _print_result(result: Result, *, json: bool) -> None:
    if json:
        print_json({**asdict(result), "seconds": round(result.seconds, 3)})
    elif not result.trouble:
        console.print(f"{result.leader} leads and trades, {result.seconds:.1f} s after it was asked", soft_wrap=True)


def _switching(config: AresConfig, reason: str, say: Callable[[str], None]) -> Switching:
    caller = Caller(operator(), reason, say)
    return Switching(_ask(config), lambda: _colors(config), config.trading, caller, SystemClock())


def _ask(config: AresConfig) -> Ask:
    def ask(color: str, verb: str, body: Mapping[str, str] | None) -> Answer:
        place = TraderPlace.here(config, color) if color else TraderPlace.of(config)
        seconds = VERIFY_S_MAX if verb.startswith("verify") else BY_VERB.get(verb, LOOK_S_MAX)
        return call_at(place.door(), verb, body, seconds)

    return ask


def _colors(config: AresConfig) -> list[str]:
    return colors_here(config.environment.state_dir.resolve())


def _standing_by(config: AresConfig) -> str:
    """The one trader here that answers and does not lead. Raises `OperatingError`."""
    switching = _switching(config, "looked", _silent)
    told = {color: switching.told(color) for color in _colors(config)}
    waiting = [color for color, each in told.items() if each is not None and not each["leads"]]
    if len(waiting) != 1:
        raise OperatingError(f"color = '': {len(waiting)} traders stand by here. Name one: --color green")
    return waiting[0]


def _say(line: str) -> None:
    console.print(line, soft_wrap=True)


def _silent(_: str) -> None:
    """Programs read JSON alone."""
