"""What the trader's commands have in common: their options, who calls, how an answer is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import orjson
import typer

from ares.commands.output import console
from ares.commands.who import operator
from ares.config import load_config
from trader.client import Answer, call

LOOK_S_MAX = 5.0
COMMAND_S_MAX = 15.0

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Reason = Annotated[str, typer.Option(help="Why; it goes into the record.")]


def command(verb: str, reason: str, timeout_s: float, **more: str) -> Answer:
    """Order something in the caller's name."""
    return call(load_config(), verb, {"actor": operator(), "reason": reason, **more}, timeout_s)


def print_json(answer: object) -> None:
    """An answer for programs."""
    console.print_json(orjson.dumps(answer, default=str).decode())


def print_answer(verb: str, answer: Answer, *, json: bool) -> None:
    """What came of a command, in one line or as JSON."""
    if json:
        print_json(answer)
        return
    details = ", ".join(f"{name} {plain(value)}" for name, value in answer.items() if name != "state")
    head = f"the trader is {answer['state']}" if "state" in answer else "done"
    console.print(f"{verb}: {head} ({details})", soft_wrap=True)


def plain(value: object) -> str:
    """A value inside of a line."""
    if isinstance(value, Mapping):
        return "; ".join(f"{k} {v}" for k, v in value.items()) or "nothing"
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "none"
    return str(value)
