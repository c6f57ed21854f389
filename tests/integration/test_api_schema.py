"""Goal: the API does what its OpenAPI says, whatever is sent to it, and never fails by itself.

`make api-proof` tries two hundred examples of every operation as every role.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ares.config.settings import DatabaseConfig
from ares.security.access.roles import KEYLESS, Role, permissions_of
from ares.security.access.users import By, KeyWish
from tests.api import OpenDoor, config_of, open_door

EXAMPLES = os.environ.get("ARES_TEST_API_EXAMPLES", "")
MINUTES_MAX = 60
ANSWER_S_MAX = 60
SEED = 20261129
"""Few examples are the same each time: what new ones find is for who looks for it."""
OF_SESSIONS = "logout end_session"
OF_TRADER = (
    "trading_status trading_why halt flatten resume preview_order place_order amend_order cancel_order cancel_all"
    " pause_strategy resume_strategy set_limit approve_limit list_approvals request_live approve_live withdraw_live"
)
OF_LONG = "ask_[a-z_]+"
LEFT_OUT = f"{OF_SESSIONS} {OF_TRADER} {OF_LONG}".replace(" ", "|")
"""What would end the session that asks, what needs a trader (503 without), and what is asked for and takes long: a few
examples more, and too many are open (503).
"""


@pytest.fixture
async def door(questdb_config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    config = config_of(questdb_config, tmp_path)
    access = config.access.model_copy(update={"token_s": 3_600.0, "failed_from_address_max": 10**9})
    async with open_door(config.model_copy(update={"access": access})) as there:
        yield there


@pytest.mark.parametrize("role", list(Role) if EXAMPLES else [Role.ADMIN])
async def test_whatever_is_sent_is_answered_as_openapi_says(door: OpenDoor, role: Role) -> None:
    await prove(door, door.token(role.value))


async def test_whatever_is_sent_with_a_key_is_answered_as_openapi_says(door: OpenDoor) -> None:
    wish = KeyWish("proof", permissions_of(Role.ADMIN) - KEYLESS)
    door.add("admin")
    await prove(door, door.door.users.make_key("admin", wish, By("test")))


async def prove(door: OpenDoor, token: str) -> None:
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
        "--exclude-operation-id-regex", f"^({LEFT_OUT})$",
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
