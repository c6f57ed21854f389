"""Goal: a Python client that a generator makes of the OpenAPI alone logs in and reads, with types."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from ares.config.settings import DatabaseConfig
from tests.api import PASSWORD, config_of, open_door

SMOKE = """
import sys
sys.path.insert(0, sys.argv[1])
from httpx import Timeout
from made import AuthenticatedClient, Client
from made.api.auth import login, me
from made.api.market import list_columns, list_instruments
from made.models import LoginBody

address, patience = sys.argv[2], Timeout(60)
stranger = Client(base_url=address, timeout=patience)
tokens = login.sync(client=stranger, body=LoginBody(user="viewer", password=sys.argv[3]))
client = AuthenticatedClient(base_url=address, token=tokens.access_token, timeout=patience)
who = me.sync(client=client)
page = list_columns.sync(client=client, limit=2, table="trades")
following = list_columns.sync(client=client, limit=2, table="trades", cursor=page.next_)
assert len(page.data) == len(following.data) == 2
assert list_instruments.sync_detailed(client=client).status_code == 200
refused = list_columns.sync_detailed(client=client, limit=0)
assert refused.status_code == 422 and refused.parsed.code == "invalid", refused
print(who.user, who.role, page.data[0].column_name)
"""


async def test_a_generated_client_logs_in_and_reads_pages(questdb_config: DatabaseConfig, tmp_path: Path) -> None:
    async with open_door(config_of(questdb_config, tmp_path / "state")) as door:
        door.add("viewer")
        generator = str(Path(sys.executable).with_name("openapi-python-client"))
        document, made = tmp_path / "openapi.json", tmp_path / "made"
        document.write_bytes((await door.ask("/openapi.json")).body)
        await ran(generator, "generate", "--path", str(document), "--output-path", str(made), "--meta", "none")
        said = await ran(sys.executable, "-c", SMOKE, str(tmp_path), door.address, PASSWORD)
    assert said.split() == ["viewer", "viewer", "ts"]


async def ran(*command: str) -> str:
    """What a program says. It must end well."""
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, errors = await process.communicate()
    assert process.returncode == 0, (out + errors).decode()[-3_000:]
    return out.decode()
