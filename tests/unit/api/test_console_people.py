"""Goal: what the console says of users, changes, jobs and logs is what is there, and nothing of it is markup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.console.changes import breaks, changes, listed, written
from api.console.filters import Filter, form, older
from api.console.folk import key_row, names_in, typed, user_row
from api.console.keys import days_in
from api.console.loglines import TAIL_BYTES, lines, newest, services
from api.console.pages.config import settings
from api.console.pages.operations import by_job
from ares.errors import UsageError
from ares.redaction import HIDDEN, redact
from ares.security.access.roles import Permission, Role, Scope
from ares.security.access.state import ApiKey, User
from ares.store import Record

EVIL = "<script>alert(1)</script>"
KEY = ApiKey("k", "notebook", frozenset({Permission.READ_MARKET}), Scope(), 100, 1)


def test_user_in_the_list_tells_role_scope_and_last_login() -> None:
    user = User("maria", Role.TRADER, Scope(accounts=frozenset({"spot-1"})), enabled=True, added_at_ns=5, seq=1)
    shown = user_row(user, 7)
    assert (shown["role"], shown["scope"], shown["state"]) == ("trader", "accounts spot-1", "active")
    assert (shown["last_login"], user_row(replace(user, enabled=False), None)["state"]) == (7, "disabled")


@pytest.mark.parametrize(("key", "now_ns", "state"), [
    (KEY, 99, "active"), (KEY, 100, "expired"), (replace(KEY, revoked=True), 0, "revoked"),
    (replace(KEY, expires_at_ns=None), 10**19, "active"),
])  # fmt: skip
def test_key_is_active_until_it_expires_or_is_revoked(key: ApiKey, now_ns: int, state: str) -> None:
    assert key_row(key, now_ns)["state"] == state


@given(st.none() | st.frozensets(st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True)))
def test_a_confinement_that_nobody_touches_stays_what_it_is(names: frozenset[str] | None) -> None:
    assert names_in(typed(names)) == names


@pytest.mark.parametrize("text", ["0", "3651", "1.5", "many", "-1", "²"])
def test_days_that_are_none_are_told(text: str) -> None:
    with pytest.raises(UsageError, match=r"days = .*whole number of 1 to 3650"):
        days_in(text)


def test_changes_of_settings_are_told_field_by_field() -> None:
    after = '{"version":2,"changes":[{"field":"api.port","before":1,"after":2}],"error":""}'
    assert [(each.field, each.before, each.after) for each in changes('{"version":1}', after)] == [
        ("version", "1", "2"),
        ("api.port", "1", "2"),
    ]


def test_what_is_no_json_is_shown_as_it_is() -> None:
    assert [each.field for each in changes("not json", "")] == [""]
    assert listed("not json") == []


def test_nothing_of_a_row_is_markup() -> None:
    shown = written(changes("{}", f'{{"{EVIL}":"{EVIL}"}}'))
    shown += form("audit", [Filter("who", "Who"), Filter("level", "Level", (EVIL,))], {"who": f'"{EVIL}'})
    shown += older("audit", {"who": EVIL}, EVIL)
    shown += settings({EVIL: {EVIL: EVIL}}, {})
    assert "<script" not in shown
    assert 'value=""' not in shown.split("Level")[0]


def test_settings_that_were_set_here_are_counted() -> None:
    shown = settings({"api": {"port": 1, "host": "a"}}, {"api.port": "2", "api.host": '"a"'})
    assert "1 set here" in shown
    assert shown.count("set here</span></td>") == 1


def entry(seq: int, previous: str, own: str) -> Record:
    return {"writer": "w", "seq": seq, "previous_hash": previous, "hash": own}


def test_entry_that_does_not_follow_is_named_and_the_edge_of_a_page_is_not() -> None:
    whole = [entry(3, "b", "c"), entry(2, "a", "b")]
    assert breaks(whole) == []
    assert breaks([entry(3, "x", "c"), *whole[1:]]) == [("w", 3)]


def run(job: str, run_id: str, status: str, ts: int) -> Record:
    return {"job": job, "run_id": run_id, "status": status, "ts": ts}


def test_jobs_are_told_by_their_newest_run_and_how_many_went_wrong() -> None:
    rows = [
        run("a", "2", "started", 9),
        run("b", "1", "ok", 8),
        run("a", "1", "crashed", 7),
        run("a", "1", "started", 6),
    ]
    told = [(row["job"], row["status"], row["runs"], row["failed"]) for row in by_job(rows)]
    assert told == [("a", "started", 2, 1), ("b", "ok", 1, 0)]


def log_of(folder: Path, name: str, text: str) -> None:
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "logs" / f"{name}.log").write_text(text, encoding="utf-8")


def line(second: int, level: str, event: str) -> str:
    return f'{{"event": "{event}", "level": "{level}", "ts": "2026-01-01T00:00:{second:02d}Z"}}\n'


def test_newest_lines_of_all_services_come_first_and_by_level(tmp_path: Path) -> None:
    log_of(tmp_path, "trader", line(1, "info", "one") + line(3, "error", "three") + "Traceback of it\n")
    log_of(tmp_path, "ingest", line(2, "warning", "two"))
    log_of(tmp_path, "questdb", "2026-01-01T00:00:04.000000Z E i.q.c.Some it broke\n")
    assert services(tmp_path) == ["ingest", "questdb", "trader"]
    every = [(row["service"], row["level"]) for row in newest(tmp_path, "", "", 10)]
    assert every == [
        ("questdb", "error"),
        ("trader", "error"),
        ("trader", "error"),
        ("ingest", "warning"),
        ("trader", "info"),
    ]
    assert [row["event"] for row in newest(tmp_path, "", "warning", 10) if row["event"]] == ["three", "two"]
    assert [row["event"] for row in newest(tmp_path, "trader", "", 1)] == ["three"]


def test_only_the_end_of_a_long_log_is_read_and_no_line_in_halves(tmp_path: Path) -> None:
    log_of(tmp_path, "trader", "".join(line(number % 60, "info", f"e{number}") for number in range(8_000)))
    assert (tmp_path / "logs" / "trader.log").stat().st_size > TAIL_BYTES
    found = newest(tmp_path, "trader", "", 10**6)
    assert 0 < len(found) < 8_000
    assert all(str(row["event"]).startswith("e") for row in found)


@pytest.mark.parametrize(("service", "level"), [("../../etc/passwd", ""), ("nobody", ""), ("", "loud")])
def test_logs_of_nobody_are_refused(tmp_path: Path, service: str, level: str) -> None:
    log_of(tmp_path, "trader", "")
    with pytest.raises(UsageError, match=r"service = |level = "):
        newest(tmp_path, service, level, 10)


def test_secrets_are_hidden_in_lines() -> None:
    redact.learn("correct-horse-battery")
    (row,) = lines("trader", '{"event": "x", "ts": "2026-01-01T00:00:00Z", "url": "correct-horse-battery"}')
    assert row["data"] == f"url={HIDDEN}"
