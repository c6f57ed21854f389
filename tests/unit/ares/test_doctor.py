"""Goal: the doctor calls serious what is serious, says how to mend it, and is quiet about what is well."""

from __future__ import annotations

import pytest

from ares.service.doctor import findings as judge
from ares.service.doctor.findings import GIB, Finding, Status


@pytest.mark.parametrize(
    ("free", "growth", "status"),
    [
        (500, None, "ok"),
        (500, -1.0, "ok"),
        (500, 10.0, "ok"),
        (500, 50.0, "warn"),
        (500, 400.0, "fail"),
        (140, None, "warn"),
        (40, None, "fail"),
        (0.5, None, "fail"),
    ],
)
def test_disk_is_judged_by_space_and_by_how_long_it_lasts(free: float, growth: float | None, status: Status) -> None:
    finding = judge.disk(round(free * GIB), 1000 * GIB, None if growth is None else growth * GIB)
    assert finding.status == status
    assert bool(finding.way_out) == (status != "ok")


@pytest.mark.parametrize(
    ("offset_ms", "status"), [(None, "skip"), (3.0, "ok"), (-251.0, "warn"), (1_200.0, "fail"), (-1_200.0, "fail")]
)
def test_clock_is_judged_by_how_far_it_is_off(offset_ms: float | None, status: Status) -> None:
    assert judge.clock("venue", offset_ms).status == status


def test_limit_that_is_too_low_says_how_to_raise_it() -> None:
    assert judge.at_least("open files", 1024, 65_536, "ulimit -n 65536") == Finding(
        "open files", "warn", "1024", "ulimit -n 65536"
    )
    assert judge.at_least("open files", 65_536, 65_536, "x") == Finding("open files", "ok", "65536")


def test_file_that_others_can_read_is_named_with_the_command() -> None:
    assert judge.private("/s/audit.key", 0o100644).way_out == "chmod go-rwx /s/audit.key"
    assert judge.private("/s/audit.key", 0o100600).status == "ok"


@pytest.mark.parametrize(
    ("profile", "encrypted", "status"),
    [("prod", True, "ok"), ("prod", False, "fail"), ("prod", None, "warn"), ("dev", False, "warn")],
)
def test_unencrypted_state_fails_in_production_only(profile: str, encrypted: bool | None, status: Status) -> None:
    assert judge.encryption(profile, "/s", encrypted).status == status


@pytest.mark.parametrize(
    ("free", "total", "status"), [(50, 100, "ok"), (9, 100, "warn"), (1, 100, "fail"), (0, 0, "skip")]
)
def test_room_for_files_is_judged_where_the_file_system_counts_them(free: int, total: int, status: Status) -> None:
    assert judge.inodes(free, total).status == status


@pytest.mark.parametrize(("kept", "status"), [(True, "ok"), (False, "warn"), (None, "skip")])
def test_clock_that_nobody_keeps_is_a_warning(kept: bool | None, status: Status) -> None:
    assert judge.clock_kept(kept).status == status


@pytest.mark.parametrize(
    ("days", "status"), [(90.0, "ok"), (13.0, "warn"), (1.0, "fail"), (-1.0, "fail"), (None, "fail")]
)
def test_certificate_is_told_while_there_is_time_to_renew_it(days: float | None, status: Status) -> None:
    found = judge.certificate("the database", days, "seen", "Renew it")
    assert (found.status, found.way_out) == (status, "" if status == "ok" else "Renew it")


def test_other_version_than_the_tested_one_is_a_warning() -> None:
    assert judge.version("QuestDB", "9.3.4", "9.3.4").status == "ok"
    assert judge.version("QuestDB", "9.4.0", "9.3.4").way_out == "Install QuestDB 9.3.4"


def test_suspended_tables_and_invalid_views_fail_by_name() -> None:
    states = [{"name": "trades", "state": "suspended"}, {"name": "bars_1m", "state": "invalid"}]
    found = judge.storage([*states, {"name": "quotes", "state": "behind"}])
    assert [(each.check, each.status) for each in found] == [("trades", "fail"), ("bars_1m", "fail")]
    assert "RESUME WAL" in found[0].way_out
    assert [each.status for each in judge.storage([{"name": "quotes", "state": "ok"}])] == ["ok"]


def test_the_worst_of_all_decides() -> None:
    found = [Finding("a", "ok", ""), Finding("b", "warn", ""), Finding("c", "skip", "")]
    assert judge.worst(found) == "warn"
    assert judge.worst([*found, Finding("d", "fail", "")]) == "fail"
    assert judge.worst([]) == "skip"
