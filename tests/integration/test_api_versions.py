"""Goal: a version that breaks callers stands beside the old one, which says until when it is there and then is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.cells import columns
from api.resources import RESOURCES
from api.versions import V1
from ares.config.settings import DatabaseConfig
from ares.control import Json
from ares.store import Database, RowWriter
from tests.api import ACCOUNT, OpenDoor, config_of, open_door
from tests.integration.test_api import fill, rows

FILLS = next(resource for resource in RESOURCES if resource.path == "fills")
NEW_FILLS = replace(
    FILLS,
    purpose="Executions, with what they cost in one place.",
    columns=columns(time="ts", text="account symbol strategy fill_id", decimal="amount price"),
    statements={
        "": FILLS.statements[""].replace("quantity, price, cost, fee, fee_quote", "quantity AS amount, price"),
    },
)
ANNOUNCED, OVER = datetime(2026, 6, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
SAID = {"Deprecation": "@1780272000", "Sunset": "Thu, 01 Jan 2099 00:00:00 GMT"}


def as_dict(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


async def paths(door: OpenDoor, version: int) -> dict[str, Json]:
    return as_dict((await door.ask("/openapi.json", version=version)).json["paths"])


async def test_a_new_version_differs_in_one_collection_and_inherits_all_others(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, *, tmp_path: Path, venue: str
) -> None:
    await writer.write([fill(venue, ACCOUNT, 0), fill(venue, "spot-2", 1)])
    await database.wait_applied(["fills"])
    editions = (V1.deprecated(ANNOUNCED, OVER), V1.following(NEW_FILLS))
    async with open_door(config_of(questdb_config, tmp_path), editions=editions) as door:
        old = await door.ask("/fills", "viewer", venue=venue)
        new = await door.ask("/fills", "viewer", version=2, venue=venue)
        assert list(rows(old.json)[0]) == [column.name for column in FILLS.columns]
        assert [set(row) for row in rows(new.json)] == [
            {"ts", "account", "symbol", "strategy", "fill_id", "amount", "price"}
        ] * 2
        assert [row["amount"] for row in rows(new.json)] == [row["quantity"] for row in rows(old.json)]
        assert {name: old.headers.get(name) for name in SAID} == SAID
        assert old.headers["Link"] == '</api/v2>; rel="successor-version"'
        assert (old.headers["API-Version"], new.headers["API-Version"]) == ("1", "2")
        assert not {"Deprecation", "Sunset", "Link"} & set(new.headers)

        for version in (1, 2):
            assert (await door.ask("/fills", version=version)).json["code"] == "credentials_missing"
            assert (await door.ask("/audit", "viewer", version=version)).json["code"] == "forbidden"
            assert (await door.ask("/auth/me", "viewer", version=version)).json["user"] == "viewer"
            mine = await door.ask("/fills", "of-account", version=version, venue=venue)
            assert [row["account"] for row in rows(mine.json)] == [ACCOUNT]
            stopped = await door.ask("/trading/halt", "viewer", method="POST", body={}, version=version)
            assert (stopped.status, stopped.json["code"]) == (403, "forbidden")
            missing = await door.ask("/nothing", "viewer", version=version)
            assert (missing.status, missing.headers["API-Version"]) == (404, str(version))

        first, second = await paths(door, 1), await paths(door, 2)
        assert {path.removeprefix("/api/v1") for path in first} == {path.removeprefix("/api/v2") for path in second}
        assert all(as_dict(each)["deprecated"] for every in first.values() for each in as_dict(every).values())
        assert not any("deprecated" in as_dict(each) for every in second.values() for each in as_dict(every).values())
        document = (await door.ask("/openapi.json", version=2)).json
        shown = as_dict(as_dict(as_dict(document["components"])["schemas"])["Fill"])
        assert set(as_dict(shown["properties"])) == {column.name for column in NEW_FILLS.columns}


async def test_a_version_whose_time_has_come_is_gone_and_its_successor_answers(
    questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    editions = (V1.deprecated(datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)), V1.following())
    async with open_door(config_of(questdb_config, tmp_path), editions=editions) as door:
        old = await door.ask("/auth/me", "viewer")
        assert (old.status, old.json["code"]) == (410, "version_gone")
        assert old.headers["Link"] == '</api/v2>; rel="successor-version"'
        assert (await door.ask("/auth/me", "viewer", version=2)).json["user"] == "viewer"


def test_nobody_ends_a_version_without_notice() -> None:
    with pytest.raises(AssertionError, match="time to move on"):
        V1.deprecated(ANNOUNCED, ANNOUNCED.replace(month=8))
