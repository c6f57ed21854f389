"""`ares user notify`: of what users are told, and where."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from api.notify.delivery import try_out
from api.notify.places import added, bot_of, targets_of
from api.notify.senders import Senders
from ares.clock import isoformat
from ares.commands.access import opened_control
from ares.commands.output import console, print_rows
from ares.commands.who import operator
from ares.errors import UsageError
from ares.security.access.state import Target
from ares.security.access.targets import KnownTarget, Targets, Wish, topics_of
from ares.security.access.topics import MEANINGS, TargetKind
from ares.security.access.users import By
from ares.service import ServiceContext

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Of what users are told, and where: Telegram, Slack, webhooks."
)

Name = Annotated[str, typer.Argument(help="The user.")]
TargetId = Annotated[str, typer.Argument(help="Its id; see `ares user notify list`.")]
TopicNames = Annotated[list[str], typer.Option("--topic", help="See `ares user notify topics`; again for more.")]
Why = Annotated[str, typer.Option(help="Goes into the audit chain.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@app.command()
def add(
    name: Name,
    kind: Annotated[TargetKind, typer.Argument(help="What carries it.")],
    label: Annotated[str, typer.Argument(help="Which one it is: phone, desk.")],
    topic: TopicNames,
    why: Why = "",
) -> None:
    """Tell a user somewhere; the address of Slack or a webhook is asked for, or read from standard input.

    Example: ares user notify add maria telegram phone --topic alerts --topic state
    """
    wish = Wish(kind, label, topics_of(topic))
    with _targets() as (context, targets):
        if kind is TargetKind.TELEGRAM:
            if context.config.notifications.telegram_token is None:
                raise UsageError("telegram: no bot here. Set notifications.telegram_token")
            good_s = context.config.notifications.link_s_max
            code = targets.new_code(name, wish, good_s)
            console.print(f"Say to the bot, in a private chat, within {good_s:g} s: /link {code}")
            return
        dev = context.config.environment.profile == "dev"
        target, key = added(targets, name, wish, _address(), By(operator(), why), dev=dev)
    console.print(f"{target.id} is told of {', '.join(sorted(target.topics))}")
    if key:
        console.print(f"Its key, shown once, signs what is sent: {key}", soft_wrap=True)


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="The user; without: all who may come in.")] = None,
    json: Json = False,
) -> None:
    """Where users are told, of what, and what is paused. Example: ares user notify list maria"""
    with _targets() as (_, targets):
        found = list(targets.every()) if name is None else targets.of(name)
        print_rows([_row(each) for each in found], json=json)


@app.command()
def topics(json: Json = False) -> None:
    """What one can be told of. Example: ares user notify topics"""
    print_rows([{"topic": topic.value, "what": what} for topic, what in MEANINGS.items()], json=json)


@app.command()
def choose(name: Name, target: TargetId, topic: TopicNames, why: Why = "") -> None:
    """Other topics, from now on. Example: ares user notify choose maria 5d1e2f3a4b5c6d7e8f9012aa --topic fills"""
    with _targets() as (_, targets):
        found = targets.choose(name, target, topics_of(topic), By(operator(), why))
    console.print(f"{found.id} is told of {', '.join(sorted(found.topics))}")


@app.command()
def remove(name: Name, target: TargetId, why: Why = "") -> None:
    """Tell nothing there any more. Example: ares user notify remove maria 5d1e2f3a4b5c6d7e8f9012aa"""
    with _targets() as (_, targets):
        targets.remove(name, target, By(operator(), why))
    console.print(f"{target} is told nothing any more")


@app.command()
def test(name: Name, target: TargetId) -> None:
    """Send a message there now; one that is paused goes on. Example: ares user notify test maria 5d1e2f3a4b5c6d7e"""
    with _targets() as (context, targets):
        asyncio.run(_test(context, targets, targets.get(name, target)))
    console.print(f"{target} was told")


async def _test(context: ServiceContext, targets: Targets, known: KnownTarget) -> Target:
    bot = bot_of(context)
    senders = Senders(lambda: context.config, context.clock, bot)
    try:
        return await try_out(targets, senders, known)
    finally:
        await senders.close()
        if bot is not None:
            await bot.close()


@contextmanager
def _targets() -> Iterator[tuple[ServiceContext, Targets]]:
    with opened_control(new=True) as (context, control):
        yield context, targets_of(context, control)


def _row(known: KnownTarget) -> dict[str, object]:
    target = known.target
    return {
        "user": known.user.name,
        "target": target.id,
        "kind": target.kind.value,
        "label": target.label,
        "topics": ", ".join(sorted(target.topics)),
        "paused": f"{target.paused} ({isoformat(target.paused_at_ns)})" if target.paused else "",
    }


def _address() -> str:
    """Asked for, so that it is in no list of processes and no history."""
    return getpass.getpass("address: ") if sys.stdin.isatty() else sys.stdin.readline().strip()
