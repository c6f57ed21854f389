"""Goal: everybody reaches what is theirs and nothing that is others': every role and scope, by every route."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from api.resource import Resource
from api.resources import RESOURCES
from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore, Json
from ares.control.errands import ErrandStore
from ares.control.errands import Wish as Wanted
from ares.model.strategies import MANUAL
from ares.security.access.roles import Permission, Role, Scope, permissions_of
from ares.security.access.users import By, KeyWish
from ares.store import Database, RowWriter
from tests.api import ACCOUNT, PASSWORD, STRATEGY, OpenDoor, config_of, open_door, operations, with_second_factor
from tests.owned import Names, alerts, rows_of, run_of, scopes_of

ELSEWHERE, OTHER = "spot-2", "other"
REFUSED = {401, 403}
ERRANDS_MAX = 10_000
SOMEBODY = "somebody"
"""Who asks for nothing themselves: what is theirs is foreign to all who ask."""

Covers = Callable[[Scope], bool]


SCOPES = scopes_of((ACCOUNT, ELSEWHERE), (STRATEGY, OTHER))


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. `name` says their role and scope."""

    role: Role
    where: str

    @property
    def name(self) -> str:
        return f"{self.role.value}-{self.where}"


PEOPLE = [Person(role, where) for role in Role for where in SCOPES]


@dataclass(frozen=True, slots=True)
class Wish:
    """A request about an object; `covers`: whether the object is within a scope."""

    covers: Covers
    body: dict[str, Json] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def of_nobody(_: Scope) -> bool:
    return True


def of_account(scope: Scope) -> bool:
    return scope.covers(account=ACCOUNT)


def of_all_strategies(scope: Scope) -> bool:
    return of_account(scope) and scope.strategies is None


def traded_by(strategy: str) -> Covers:
    return lambda scope: scope.covers(account=ACCOUNT, strategy=strategy)


def studied(strategy: str) -> Covers:
    return lambda scope: scope.covers(strategy=strategy)


def of_each_strategy(body: dict[str, Json]) -> list[Wish]:
    return [Wish(traded_by(name), {**body, "strategy": name}) for name in (STRATEGY, OTHER)]


ORDER: dict[str, Json] = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.001"}
BOUND: dict[str, Json] = {"name": "position_quote_max", "value": "1"}
TEST: dict[str, Json] = {"from": "2026-01-01", "to": "2026-01-02"}
WHY: dict[str, Json] = {"reason": "a test"}
WHOLE = [Wish(of_all_strategies, WHY, {"order_id": "o1", "change": "c1"})]
STEERED = [Wish(traded_by(name), WHY, {"strategy": name}) for name in (STRATEGY, OTHER)]
OF_NOBODY = [Wish(of_nobody, {}, {"user": "nobody", "key": "nothing", "model": "nothing", "job": "nothing"})]

WISHES: Mapping[str, Sequence[Wish]] = {
    "trading_status": WHOLE,
    "trading_why": WHOLE,
    "list_approvals": WHOLE,
    "halt": [Wish(of_account, WHY)],
    "flatten": WHOLE,
    "resume": WHOLE,
    "preview_order": [*of_each_strategy(ORDER), Wish(traded_by(MANUAL), ORDER)],
    "place_order": [*of_each_strategy(ORDER), Wish(traded_by(MANUAL), ORDER)],
    "amend_order": WHOLE,
    "cancel_order": WHOLE,
    "cancel_all": WHOLE,
    "pause_strategy": STEERED,
    "resume_strategy": STEERED,
    "set_limit": [*of_each_strategy(BOUND), Wish(of_all_strategies, BOUND)],
    "approve_limit": WHOLE,
    "request_live": WHOLE,
    "approve_live": [Wish(of_all_strategies, {**WHY, "terms": "0" * 16})],
    "withdraw_live": WHOLE,
    "ask_backtest": [Wish(studied(name), {**TEST, "strategy": name}) for name in (STRATEGY, OTHER)],
    "ask_job": [Wish(of_all_strategies, {}, {"job": "nothing"})],
    "ask_config_set": [Wish(of_all_strategies, {"field": "trading.risk.price_collar", "value": "0.02", **WHY})],
    "ask_config_rollback": [Wish(of_all_strategies, {"version": 1, **WHY})],
    "ask_model_promote": [Wish(of_all_strategies, {"version": "1", **WHY}, {"model": "direction"})],
    "ask_model_rollback": [Wish(of_all_strategies, WHY, {"model": "direction"})],
    **dict.fromkeys(
        (
            "ask_sql", "list_users", "show_user", "list_user_sessions", "add_user", "set_role", "disable_user",
            "enable_user", "unlock_user", "end_user_sessions", "drop_second_factor", "link_identity",
            "unlink_identity", "make_key", "revoke_key",
        ),
        OF_NOBODY,
    ),
}  # fmt: skip
"""By operation. Users are of no account: who is confined manages none, whichever they are."""

OF_THINGS = {"explain_order", "show_backtest_report", "show_errand", "cancel_errand"}
"""What is found first and then looked at: `test_things_are_shown_to_those_whose_they_are`."""

OF_ONESELF = {
    "login", "refresh", "logout", "me", "step_up", "set_password", "begin_second_factor", "confirm_second_factor",
    "list_sessions", "end_session", "list_notifications", "add_notifications", "link_telegram",
    "choose_notifications", "remove_notifications", "test_notifications", "login_by_provider", "provider_callback",
}  # fmt: skip
"""Whose objects are who asks: `test_nobody_reaches_the_sessions_and_notifications_of_others`."""


@pytest.fixture
async def door(questdb_config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    config = config_of(questdb_config, tmp_path)
    bounds = {
        "access": config.access.model_copy(update={"code_age_s_max": 3_600.0}),
        "errands": config.errands.model_copy(update={"open_max": ERRANDS_MAX}),
    }
    async with open_door(config.model_copy(update=bounds)) as there:
        yield there


def come_in(door: OpenDoor, people: Sequence[Person], scopes: Mapping[str, Scope] = SCOPES) -> None:
    """Each with a session in which a second factor was shown just now."""
    for person in people:
        door.door.users.add(person.name, person.role, scopes[person.where], PASSWORD, By("test"))
        with_second_factor(door, person.name)


async def test_every_route_is_open_to_whom_its_object_is_within(door: OpenDoor) -> None:
    come_in(door, PEOPLE)
    asked = 0
    lists = {f"list_{each.path.replace('-', '_')}" for each in RESOURCES}
    for each in await operations(door):
        name, method, path, permission = each.name, each.method, each.path, each.permission
        if name in lists | OF_THINGS | OF_ONESELF:
            continue
        wishes = WISHES.get(name, OF_NOBODY if permission is None else ())
        assert wishes, f"{name} ({method} {path}): say in WISHES whose its objects are"
        for person in PEOPLE:
            may = permission is None or permission in permissions_of(person.role, SCOPES[person.where])
            for wish in wishes:
                where = path.format_map(wish.names)
                said = await door.ask(where, person.name, method=method, body=None if method == "GET" else wish.body)
                within = may and wish.covers(SCOPES[person.where])
                assert (said.status not in REFUSED) is within, (method, where, wish.body, person.name, said.json)
                asked += 1
    assert asked > len(PEOPLE) * 40


async def test_every_collection_shows_rows_to_whom_they_are_within(
    door: OpenDoor, control: ControlStore, database: Database, writer: RowWriter, venue: str
) -> None:
    names = Names(venue)
    rows = [*rows_of(names, SystemClock().now_ns()), *await alerts(control, names)]
    await writer.write(rows)
    await database.wait_applied(sorted({row.table for row in rows}))
    scopes = names.scopes()
    come_in(door, PEOPLE, scopes)
    confinable = [each for each in RESOURCES if columns_of(each)]
    assert len(confinable) > 15
    for resource in confinable:
        every = await seen(door, resource, Person(Role.ADMIN, "everywhere"), names)
        for column in columns_of(resource):
            owners = {row[column] for row in every} - {None, ""}
            assert owners == set(names.accounts if column == "account" else names.strategies), resource.path
        for person in PEOPLE:
            if resource.permission not in permissions_of(person.role, scopes[person.where]):
                continue
            expected = [row for row in every if within(row, scopes[person.where])]
            assert await seen(door, resource, person, names) == expected, (resource.path, person.name)


def columns_of(resource: Resource) -> list[str]:
    """What rows of a collection are confined by."""
    return [column.name for column in resource.columns if column.name in {"account", "strategy"}]


def within(row: Mapping[str, Json], scope: Scope) -> bool:
    """What is of no strategy, or no account, is within any, where a row may be of none."""
    return scope.covers(
        account=str(row["account"]) if row.get("account") else None,
        strategy=str(row["strategy"]) if row.get("strategy") else None,
    )


async def seen(door: OpenDoor, resource: Resource, person: Person, names: Names) -> list[dict[str, Json]]:
    """What somebody sees of the rows of this test; other tests write to the same tables."""
    said = await door.ask(f"/{resource.path}", person.name, limit=10_000)
    assert said.status == 200, (resource.path, person.name, said.json)
    ours = {*names.accounts, *names.strategies, names.venue}
    rows = cast("list[dict[str, Json]]", said.json["data"])
    return [row for row in rows if ours & {row.get("account"), row.get("strategy"), row.get("name")}]


async def test_things_are_shown_to_those_whose_they_are(
    door: OpenDoor, control: ControlStore, database: Database, writer: RowWriter, venue: str
) -> None:
    names, store = Names(venue), ErrandStore(control)
    rows = rows_of(names, SystemClock().now_ns())
    await writer.write(rows)
    await database.wait_applied(sorted({row.table for row in rows}))
    scopes = names.scopes()
    come_in(door, PEOPLE, scopes)
    door.door.users.add(SOMEBODY, Role.TRADER, Scope(), PASSWORD, By("test"))
    now_ns = SystemClock().now_ns()
    for person in PEOPLE:
        permissions = permissions_of(person.role, scopes[person.where])
        for strategy in names.strategies:
            for account in names.accounts:
                said = await door.ask(f"/orders/{account}-{strategy}/explanation", person.name)
                shown = scopes[person.where].covers(account=account, strategy=strategy)
                assert said.status == (200 if shown else 404), (person.name, account, strategy, said.json)
            said = await door.ask(f"/backtests/{run_of(strategy)}/report", person.name)
            shown = scopes[person.where].covers(strategy=strategy)
            assert said.status == (404 if shown else 403), (person.name, strategy, said.json)
        for owner in (person.name, SOMEBODY):
            mine = owner == person.name
            wish = Wanted(f"{person.name}-{mine}", "job", {"job": "nothing"}, owner)
            assert store.ask(wish, now_ns, ERRANDS_MAX) is not None
            said = await door.ask(f"/errands/{wish.id}", person.name)
            assert said.status == (200 if mine or Permission.READ_AUDIT in permissions else 404), (wish, said.json)
            said = await door.ask(f"/errands/{wish.id}/cancel", person.name, method="POST")
            assert said.status == (200 if mine or Permission.MANAGE_USERS in permissions else 404), (wish, said.json)


async def test_nobody_reaches_the_sessions_and_notifications_of_others(door: OpenDoor) -> None:
    users = [role.value for role in Role]
    held = {user: await things_of(door, user) for user in (*users, "of-nothing")}
    foreign = held["of-nothing"]
    for user in users:
        for method, path, well in (
            ("PUT", "/auth/notifications/{target}", 200),
            ("DELETE", "/auth/notifications/{target}", 204),
            ("DELETE", "/auth/sessions/{session}", 204),
        ):
            body = {"topics": ["alerts"]} if method == "PUT" else None
            refused = await door.ask(path.format_map(foreign), user, method=method, body=body)
            assert refused.status in {400, 404}, (user, path, refused.json)
            assert (await door.ask(path.format_map(held[user]), user, method=method, body=body)).status == well
        tested = await door.ask(f"/auth/notifications/{foreign['target']}/test", user, method="POST")
        assert tested.status in {400, 404}, (user, tested.json)
    assert await things_of(door, "of-nothing", made=False) == foreign


async def things_of(door: OpenDoor, user: str, *, made: bool = True) -> dict[str, str]:
    """Another session of a user, and a place where they are told; both are made first."""
    place = {"kind": "webhook", "label": "desk", "url": "https://example.com/hook", "topics": ["alerts"]}
    if made:
        assert (await door.ask("/auth/notifications", user, method="POST", body=place)).status == 201
        came_in = {"user": user, "password": PASSWORD}
        assert (await door.ask("/auth/login", method="POST", body=came_in)).status == 200
    sessions = cast("list[dict[str, Json]]", (await door.ask("/auth/sessions", user)).json[""])
    targets = cast("list[dict[str, Json]]", (await door.ask("/auth/notifications", user)).json[""])
    other = next(each for each in sessions if not each["this"])
    return {"session": str(other["id"]), "target": str(targets[0]["id"])}


async def test_a_key_reaches_errands_of_its_own_scope_alone(door: OpenDoor, control: ControlStore) -> None:
    door.add("trader")
    may = frozenset({Permission.RUN_BACKTESTS, Permission.READ_OPERATIONS})
    narrow = KeyWish("narrow", may, SCOPES["strategy"])
    keys = {"narrow": narrow, "wide": KeyWish("wide", may)}
    shown = {name: door.door.users.make_key("trader", wish, By("test")) for name, wish in keys.items()}
    now_ns, store = SystemClock().now_ns(), ErrandStore(control)
    for strategy in (STRATEGY, OTHER, ""):
        kind, arguments = ("backtest", {**TEST, "strategy": strategy}) if strategy else ("job", {"job": "backup"})
        assert store.ask(Wanted(run_of(f"e-{strategy}"), kind, arguments, "trader"), now_ns, ERRANDS_MAX) is not None
    for name, token in shown.items():
        for strategy in (STRATEGY, OTHER, ""):
            said = await door.ask(f"/errands/e-{run_of(strategy)}", headers={"Authorization": f"Bearer {token}"})
            assert said.status == (200 if name == "wide" or strategy == STRATEGY else 404), (name, strategy, said.json)
    listed = await door.ask("/errands", headers={"Authorization": f"Bearer {shown['narrow']}"})
    assert (listed.status, listed.json["data"]) == (200, [])
    cancelled = await door.ask(
        f"/errands/e-{OTHER}/cancel", method="POST", headers={"Authorization": f"Bearer {shown['narrow']}"}
    )
    assert cancelled.status == 404
