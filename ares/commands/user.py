"""`ares user`: who may come in through the door, and what they may do."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ares.clock import DAY_NS, isoformat
from ares.commands.access import opened_control
from ares.commands.output import console, print_rows
from ares.commands.who import operator
from ares.config import load_config
from ares.errors import UsageError
from ares.security.access.door import Door
from ares.security.access.provider import vouched
from ares.security.access.roles import Permission, Role, Scope
from ares.security.access.state import User, listed
from ares.security.access.users import By, KeyWish
from ares.service.entrance import door_of

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Users of the door: add, confine, lock out; keys.")

Name = Annotated[str, typer.Argument(help="The user.")]
RoleOption = Annotated[Role, typer.Option(help="What they are here for.")]
Accounts = Annotated[list[str] | None, typer.Option("--account", help="Confined to it; again for more.")]
Strategies = Annotated[list[str] | None, typer.Option("--strategy", help="Confined to it; again for more.")]
Why = Annotated[str, typer.Option(help="Goes into the audit chain.")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="a-z, 0-9, '.', '_', '-'; begins with a letter.")],
    role: RoleOption = Role.VIEWER,
    account: Accounts = None,
    strategy: Strategies = None,
    why: Why = "",
) -> None:
    """Add a user; the password is asked for, or read from standard input. Example: ares user add maria --role trader"""
    with _door() as door:
        user = door.users.add(name, role, _scope(account, strategy), _password(), By(operator(), why))
    console.print(f"{user.name} may come in as {user.role}")


@app.command("list")
def list_(json: Json = False) -> None:
    """All users, what they may do, and their open sessions. Example: ares user list"""
    with _door() as door:
        print_rows([_shown(door, door.users.get(name)) for name in door.users.names()], json=json)


@app.command()
def role(
    name: Name,
    role: Annotated[Role, typer.Argument(help="What they are here for.")],
    account: Accounts = None,
    strategy: Strategies = None,
    why: Why = "",
) -> None:
    """Another role and scope, at once. Example: ares user role maria trader --account spot-1"""
    with _door() as door:
        user = door.users.allow(name, role, _scope(account, strategy), By(operator(), why))
    console.print(f"{user.name} is {user.role} now")


@app.command()
def password(name: Name, why: Why = "") -> None:
    """Another password; every session ends. Example: ares user password maria"""
    with _door() as door:
        door.users.set_password(name, _password(), By(operator(), why))
        door.unlock(name)
    console.print(f"{name} has another password; every session has ended")


@app.command()
def disable(name: Name, why: Why = "") -> None:
    """Let somebody in no more, and out at once. Example: ares user disable maria --why 'has left'"""
    with _door() as door:
        door.users.switch(name, By(operator(), why), enabled=False)
    console.print(f"{name} may not come in any more; sessions and keys are void")


@app.command()
def enable(name: Name, why: Why = "") -> None:
    """Let somebody in again. Example: ares user enable maria"""
    with _door() as door:
        door.users.switch(name, By(operator(), why), enabled=True)
    console.print(f"{name} may come in again")


@app.command()
def unlock(name: Name) -> None:
    """Forget that logins failed. Example: ares user unlock maria"""
    with _door() as door:
        door.unlock(name)
    console.print(f"{name} may try again")


@app.command()
def logout(name: Name, why: Why = "") -> None:
    """End all sessions of a user, at once. Example: ares user logout maria --why 'a laptop was lost'"""
    with _door() as door:
        door.users.end_sessions(name, By(operator(), why))
    console.print(f"all sessions of {name} have ended")


@app.command()
def link(
    name: Name,
    subject: Annotated[str, typer.Argument(help="Who they are there: `sub`, never a name or an address.")],
    why: Why = "",
) -> None:
    """Let a subject of access.oidc.issuer come in as a user. Example: ares user link maria 00u1a2b3c4"""
    with _door() as door:
        identity = vouched(load_config().access.oidc, subject)
        door.users.link(name, identity, By(operator(), why))
    console.print(f"{subject} of {identity.issuer} comes in as {name}")


@app.command()
def unlink(name: Name, why: Why = "") -> None:
    """Nobody outside comes in as a user any more. Example: ares user unlink maria --why 'has left'"""
    with _door() as door:
        door.users.link(name, None, By(operator(), why))
    console.print(f"nobody outside comes in as {name} any more; every session has ended")


@app.command("second-factor")
def second_factor(
    name: Name,
    off: Annotated[bool, typer.Option("--off", help="Take it away: it was lost.")] = False,
    why: Why = "",
) -> None:
    """Set up a second factor, or take a lost one away. Example: ares user second-factor maria"""
    with _door() as door:
        if off:
            door.users.set_second_factor(name, "", By(operator(), why))
            console.print(f"{name} has no second factor any more")
            return
        uri = door.begin_second_factor(door.users.get(name).name)
        console.print(f"Give this to an authenticator: {uri}", soft_wrap=True)
        door.confirm_second_factor(name, uri, _asked("code: "), By(operator(), why))
    console.print(f"{name} has a second factor")


@app.command("key-add")
def key_add(  # noqa: PLR0917 - typer's way to declare a command
    name: Name,
    label: Annotated[str, typer.Argument(help="What it is for.")],
    permission: Annotated[list[Permission], typer.Option("--may", help="What it may do; again for more.")],
    account: Accounts = None,
    strategy: Strategies = None,
    days: Annotated[int | None, typer.Option(min=1, max=3_650, help="Until it expires; without: never.")] = None,
) -> None:
    """Make an API key; it is shown once. Example: ares user key-add maria notebook --may market:read --days 90"""
    with _door() as door:
        expires_at_ns = None if days is None else door.clock.now_ns() + days * DAY_NS
        wish = KeyWish(label, frozenset(permission), _scope(account, strategy), expires_at_ns)
        text = door.users.make_key(name, wish, By(operator()))
    console.print(text, soft_wrap=True)


@app.command("key-revoke")
def key_revoke(name: Name, key: Annotated[str, typer.Argument(help="Its id.")], why: Why = "") -> None:
    """A key opens nothing any more, at once. Example: ares user key-revoke maria 9a7b1c2d3e4f5061728394aa"""
    with _door() as door:
        door.users.revoke_key(name, key, By(operator(), why))
    console.print(f"key {key} opens nothing any more")


@app.command()
def keys(name: Name, json: Json = False) -> None:
    """The keys of a user. Example: ares user keys maria"""
    with _door() as door:
        found = door.users.get(name).keys.values()
    rows = [
        {
            "key": key.id,
            "label": key.label,
            "may": sorted(key.permissions),
            "expires_at": "never" if key.expires_at_ns is None else isoformat(key.expires_at_ns),
            "revoked": key.revoked,
        }
        for key in found
    ]
    print_rows(rows, json=json)


def _shown(door: Door, user: User) -> dict[str, object]:
    return {
        "user": user.name,
        "role": user.role.value,
        "identity": "" if user.identity is None else user.identity.subject,
        "accounts": listed(user.scope.accounts),
        "strategies": listed(user.scope.strategies),
        "enabled": user.enabled,
        "second_factor": user.second_factor,
        "sessions": len(door.sessions(user.name)),
        "keys": sum(not key.revoked for key in user.keys.values()),
    }


@contextmanager
def _door() -> Iterator[Door]:
    with opened_control(new=True) as (context, control):
        yield door_of(context, control)


def _scope(accounts: list[str] | None, strategies: list[str] | None) -> Scope:
    return Scope(frozenset(accounts) if accounts else None, frozenset(strategies) if strategies else None)


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise UsageError("password: the two differ. Try again")
    return password


def _asked(prompt: str) -> str:
    return input(prompt) if sys.stdin.isatty() else sys.stdin.readline().strip()
