"""Goal: the API does what its OpenAPI says, whatever is sent to it, and never fails by itself.

`make api-proof` tries two hundred examples of every operation as every role.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from ares.config.settings import DatabaseConfig
from ares.control import ControlStore
from ares.security.access.roles import DANGEROUS, KEYLESS, Role, permissions_of
from ares.security.access.users import By, KeyWish
from tests.api import OpenDoor, config_of, open_door, operations, with_second_factor
from tests.integration.test_api_approvals import TERMS
from tests.integration.test_trader_control import parts_on
from trader.control_port import ControlPort
from trader.runtime import Trader

EXAMPLES = os.environ.get("ARES_TEST_API_EXAMPLES", "")
MINUTES_MAX = 60
ANSWER_S_MAX = 60
SEED = 20261129
"""Few examples are the same each time: what new ones find is for who looks for it."""
OF_SESSIONS = ("logout", "end_session")
"""They would end the session that asks. A key has none: it asks for them, too."""


@pytest.fixture
async def door(questdb_config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    """One whose users may ask for as much as they like: no bound is to hide an answer."""
    config = config_of(questdb_config, tmp_path)
    often = {"token_s": 3_600.0, "failed_from_address_max": 10**9, "code_age_s_max": 3_600.0}
    bounds = {
        "access": config.access.model_copy(update=often),
        "errands": config.errands.model_copy(update={"open_max": 10**9}),
    }
    async with open_door(config.model_copy(update=bounds)) as there:
        yield there


@pytest.fixture(autouse=True)
async def trader(control: ControlStore, tmp_path: Path) -> AsyncIterator[Trader]:
    """One on paper, which leads and has reconciled; what loosens a limit or goes live takes two people."""
    trader = Trader(replace(parts_on(control, four_eyes=True), terms=TERMS))
    await trader.leadership.wait()
    await trader.begin()
    port = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    await port.start()
    yield trader
    await port.stop()


@pytest.mark.parametrize("role", list(Role) if EXAMPLES else [Role.ADMIN])
async def test_whatever_is_sent_is_answered_as_openapi_says(door: OpenDoor, role: Role) -> None:
    await prove(door, door.token(role.value), "--exclude-operation-id-regex", any_of(OF_SESSIONS))
    assert (await door.ask("/auth/me", role.value)).json["role"] == role.value


async def test_whatever_is_sent_with_a_key_is_answered_as_openapi_says(door: OpenDoor) -> None:
    wish = KeyWish("proof", permissions_of(Role.ADMIN) - KEYLESS)
    door.add("admin")
    await prove(door, door.door.users.make_key("admin", wish, By("test")))


@pytest.mark.skipif(not EXAMPLES, reason="make api-proof: what is dangerous, with a second factor")
async def test_whatever_is_sent_with_a_second_factor_is_answered_as_openapi_says(door: OpenDoor) -> None:
    with_second_factor(door, "admin")
    dangerous = await wanting_a_second_factor(door)
    assert len(dangerous) > 10
    await prove(door, door.token("admin"), "--include-operation-id-regex", any_of(dangerous))
    assert (await door.ask("/auth/me", "admin")).json["role"] == "admin"


async def wanting_a_second_factor(door: OpenDoor) -> list[str]:
    """Operations whose policy does."""
    return [each.name for each in await operations(door) if each.mark in DANGEROUS]


def any_of(operations: Iterable[str]) -> str:
    return f"^({'|'.join(operations)})$"


async def prove(door: OpenDoor, token: str, *chosen: str) -> None:
    """A request that fits its schema may still be refused (400): a cursor of no page, a statement that is no SQL."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{door.address}/api/v1/openapi.json",
        "--header", f"Authorization: Bearer {token}",
        "--max-examples", EXAMPLES or "3",
        *([] if EXAMPLES else ["--seed", str(SEED)]),
        "--request-timeout", str(ANSWER_S_MAX),
        "--phases", "examples,coverage,fuzzing,stateful" if EXAMPLES else "examples,fuzzing",
        *chosen,
        "--exclude-checks", "positive_data_acceptance",
        "--continue-on-failure",
        "--warnings", "off",
        "--suppress-health-check", "all",
        "--no-color",
        cwd=door.context.state_dir,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(MINUTES_MAX * 60):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-6_000:]
