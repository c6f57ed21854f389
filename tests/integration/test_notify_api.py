"""Goal: over HTTP everybody sets up where they are told themselves, and sees nothing of others."""

from __future__ import annotations

from pathlib import Path

from ares.config.settings import DatabaseConfig
from tests.api import config_of, open_door
from tests.outside import TOKEN, outside


async def test_one_sets_up_ones_own_targets_and_no_others(questdb_config: DatabaseConfig, tmp_path: Path) -> None:
    async with outside() as there:
        config = config_of(questdb_config, tmp_path)
        bot = {"telegram_token": TOKEN, "telegram_url": there.address}
        bots = config.notifications.model_validate({**config.notifications.model_dump(), **bot})
        async with open_door(config.model_copy(update={"notifications": bots})) as door:
            path = "/auth/notifications"
            body = {"kind": "webhook", "label": "desk", "topics": ["fills"], "url": f"{there.address}/hook"}
            made = await door.ask(path, "trader", method="POST", body=body)
            assert (made.status, made.json["topics"], made.json["paused_at"]) == (201, ["fills"], None)
            assert len(str(made.json["key"])) > 40
            mine = f"{path}/{made.json['id']}"
            (listed,) = (await door.ask(path, "trader")).json[""]  # type: ignore[misc, union-attr]  # a list of objects
            assert "key" not in listed  # type: ignore[operator]  # an object
            assert str(there.address) not in str(listed)
            assert (await door.ask(path, "viewer")).json == {"": []}
            for method in ("PUT", "DELETE"):
                other = await door.ask(mine, "viewer", method=method, body={"topics": ["state"]})
                assert (other.status, other.json["code"]) == (404, "unknown_name")
            tried = await door.ask(f"{mine}/test", "trader", method="POST")
            assert (tried.status, len(there.posted)) == (200, 1)
            there.status = 404
            failed = await door.ask(f"{mine}/test", "trader", method="POST")
            assert (failed.status, failed.json["detail"]) == (503, "webhook: answered 404")
            changed = await door.ask(mine, "trader", method="PUT", body={"topics": ["state", "gaps"]})
            assert changed.json["topics"] == ["gaps", "state"]
            code = await door.ask(
                "/auth/telegram-links", "trader", method="POST", body={"label": "me", "topics": ["state"]}
            )
            assert str(code.json["say"]) == f"/link {code.json['code']}"
            bad = await door.ask(path, "trader", method="POST", body={**body, "url": "http://example.org/x"})
            assert (bad.status, bad.json["code"]) == (400, "usage")
            assert (await door.ask(mine, "trader", method="DELETE")).status == 204
            assert (await door.ask(path, "trader")).json == {"": []}
