"""Goal: WAL is copied without a hole up to where it was asked for, and what Postgres' programs say has a way out."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.control.postgres import Address, is_postgres, socket_url
from ares.errors import AresError, BackupIncomplete, ConfigError, ControlUnavailable
from backup.journal.coverage import Coverage
from backup.journal.postgres import wal
from backup.journal.postgres.primary import slot_name
from backup.journal.postgres.programs import meaning
from backup.journal.reach import Reach

SEGMENT = 1 << 20
PER_LOG = (1 << 32) // SEGMENT


def name_of(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}{number // PER_LOG:08X}{number % PER_LOG:08X}"


def lay_out(folder: Path, first: int, position: int, timeline: int = 1) -> None:
    """What a receiver has on its disk: whole segments, and the one in the making."""
    folder.mkdir(exist_ok=True)
    for number in range(first, position // SEGMENT + 1):
        whole = (number + 1) * SEGMENT <= position
        path = folder / (name_of(number, timeline) + ("" if whole else wal.PARTIAL))
        path.write_bytes(number.to_bytes(8) * (SEGMENT // 8))


@given(st.integers(0, 1 << 40), st.sampled_from([1 << 20, 1 << 24, 1 << 30]))
def test_number_of_a_segment_is_read_back_from_its_name(number: int, segment_bytes: int) -> None:
    logs = (1 << 32) // segment_bytes
    name = f"{3:08X}{number // logs % (1 << 32):08X}{number % logs:08X}"
    assert wal.number_of(name, segment_bytes) == number % ((1 << 32) * logs)


@pytest.mark.parametrize("offset", [1, 8_192, SEGMENT - 1, SEGMENT])
def test_staged_wal_reaches_from_the_base_copy_to_the_position_and_is_zero_behind_it(
    tmp_path: Path, offset: int
) -> None:
    received, target = tmp_path / "received", tmp_path / "wal"
    lay_out(received, PER_LOG - 2, (PER_LOG + 2) * SEGMENT + 100_000)
    position = (PER_LOG + 1) * SEGMENT + offset
    wal.stage(received, target, name_of(PER_LOG - 1), position, SEGMENT)
    staged = sorted(path.name.removesuffix(wal.PARTIAL) for path in target.iterdir())
    assert staged == [name_of(number) for number in range(PER_LOG - 1, PER_LOG + 2)]

    later = (PER_LOG + 2) * SEGMENT + 50_000
    wal.stage(received, target, name_of(PER_LOG - 1), later, SEGMENT)
    (partial,) = target.glob("*.partial")
    content = partial.read_bytes()
    assert len(content) == SEGMENT
    assert content[:50_000] == (PER_LOG + 2).to_bytes(8) * 6_250
    assert not any(content[50_000:])


def test_hole_in_the_wal_is_no_journal(tmp_path: Path) -> None:
    received = tmp_path / "received"
    lay_out(received, 1, 5 * SEGMENT + 10)
    (received / name_of(3)).unlink()
    with pytest.raises(BackupIncomplete, match="1 segments of WAL are missing"):
        wal.stage(received, tmp_path / "wal", name_of(1), 5 * SEGMENT + 10, SEGMENT)


def test_segment_in_the_making_is_taken_from_the_newest_timeline(tmp_path: Path) -> None:
    received, target = tmp_path / "received", tmp_path / "wal"
    lay_out(received, 1, 2 * SEGMENT + 10)
    lay_out(received, 2, 2 * SEGMENT + 500, timeline=2)
    (received / "00000002.history").write_text("1\t0/200010\tpromoted\n")
    wal.stage(received, target, name_of(1), 2 * SEGMENT + 500, SEGMENT)
    assert {path.name for path in target.iterdir()} == {
        name_of(1),
        f"{name_of(2, 2)}{wal.PARTIAL}",
        "00000002.history",
    }


def test_segment_that_a_killed_receiver_laid_out_by_half_is_taken_away_and_no_other(tmp_path: Path) -> None:
    received = tmp_path / "received"
    lay_out(received, 1, 3 * SEGMENT + 10)
    wal.mend(received, SEGMENT)
    assert len(list(received.iterdir())) == 3
    (received / f"{name_of(3)}.partial").write_bytes(b"half")
    wal.mend(received, SEGMENT)
    assert {path.name for path in received.iterdir()} == {name_of(1), name_of(2)}


def test_wal_before_the_base_copy_is_forgotten(tmp_path: Path) -> None:
    lay_out(tmp_path, 1, 5 * SEGMENT + 10)
    wal.forget_before(tmp_path, name_of(4), SEGMENT)
    assert [path.name for path in wal.segments(tmp_path)] == [name_of(4), f"{name_of(5)}.partial"]
    assert wal.bytes_in(tmp_path) == 2 * SEGMENT


def test_base_copy_says_where_its_wal_begins() -> None:
    label = "START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\nCHECKPOINT LOCATION: 0/2000060\n"
    assert wal.begin_of(label) == name_of(2)
    with pytest.raises(BackupIncomplete):
        wal.begin_of("LABEL: nothing")


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (
            'FATAL:  no pg_hba.conf entry for replication connection from host "10.0.0.7", user "a"',
            ConfigError,
            "add to its pg_hba.conf",
        ),
        ("FATAL:  must be superuser or replication role to start walsender", ConfigError, "REPLICATION"),
        ('FATAL:  password authentication failed for user "a"', ConfigError, "password is refused"),
        ("error: incompatible server version 17.1; client does not support", ConfigError, "older than it"),
        ("FATAL:  number of requested standby connections exceeds max_wal_senders", ConfigError, "Raise max_wal_send"),
        ('connection to server at "h", port 5 failed: Connection refused', ControlUnavailable, "refused"),
        ("could not write 512 bytes to WAL file: No space left on device", BackupIncomplete, "No space left"),
        ("", BackupIncomplete, "it said nothing"),
    ],
)
def test_last_words_of_a_program_become_an_error_with_a_way_out(said: str, kind: type[AresError], words: str) -> None:
    error = meaning("pg_receivewal", f"pg_receivewal: error: {said}" if said else "")
    assert type(error) is kind
    assert words in str(error)


def test_address_of_a_store_keeps_everything_but_the_password() -> None:
    told = "it's: one"
    url = f"postgresql+psycopg://ada:{quote(told)}@db.example:5433/ares?sslmode=verify-full"
    address = Address.of(url)
    assert address.password == told
    assert "one" not in address.conninfo()
    told = address.conninfo(application_name="it's")
    assert told.startswith("host='db.example' user='ada' port='5433' sslmode='verify-full'")
    assert told.endswith(r"application_name='it\'s'")
    with pytest.raises(ConfigError, match="sslpassword"):
        Address.of(f"{url}&sslpassword=x")
    assert is_postgres(url)
    assert not is_postgres("sqlite:///control.db")
    assert Address.of(socket_url("/tmp/x", "ares", "ada")).conninfo().startswith("user='ada' host='/tmp/x'")


def test_slot_is_named_by_the_installation_as_postgres_allows() -> None:
    assert slot_name("ares") == "ares_journal"
    assert slot_name("EU-west.1") == "eu_west_1_journal"
    assert len(slot_name("x" * 100)) == 63


def test_reach_is_read_back_from_a_snapshots_tags_and_a_sqlite_journal_has_none() -> None:
    reach = Reach(5, 9, -3, 77)
    coverage = Coverage(at_ns=reach.to_ns, line=4, since_ns=2)
    tags = ["journal", "id=a", *coverage.tags, *reach.tags]
    assert (Reach.of(tags), Coverage.of(tags)) == (reach, coverage)
    assert [reach.has(at_ns) for at_ns in (4, 5, 9, 10)] == [False, True, True, False]
    assert Reach.of(["journal", *coverage.tags]) is None
