"""The door to Delta Lake: what is replaced, remembered, refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)
from pydantic import SecretStr, ValidationError

from ares.config.lake import LakeConfig, TierRule
from ares.errors import LakeError, LakeRejected, LakeUnavailable
from ares.lake.delta import ColdTable, Lake, delta_schema, mapped, storage_options, to_delta
from ares.lake.files import rows_of, write_rows
from ares.lake.fold import digest_part, digest_rows, merged
from ares.lake.sql import Space


def rows(symbol: str, *bids: float) -> pa.Table:
    count = len(bids)
    return pa.table(
        {
            "ts": pa.array([1_000 * number + 7 for number in range(count)], pa.timestamp("ns")),
            "symbol": [symbol] * count,
            "bid": list(bids),
        }
    )


def put(table: ColdTable, symbol: str, *bids: float) -> int:
    data = rows(symbol, *bids)
    return table.replace({"symbol": symbol}, data.schema, data.to_batches()).version


def bids(table: ColdTable, symbol: str, version: int | None = None) -> list[float]:
    return [bid for batch in table.read({"symbol": symbol}, version) for bid in batch.column("bid").to_pylist()]


@pytest.fixture
def table(tmp_path: Path) -> ColdTable:
    return Lake.of(LakeConfig(), tmp_path).table("cold/quotes", ("symbol",))


def test_part_is_replaced_and_others_stay_and_the_version_before_can_be_read(table: ColdTable) -> None:
    assert table.version() is None
    first = put(table, "A/B", 1.0, 2.0)
    put(table, "C'D", 9.0)
    put(table, "A/B", 3.0)
    assert bids(table, "A/B") == [3.0]
    assert bids(table, "C'D") == [9.0]
    assert bids(table, "A/B", first) == [1.0, 2.0]


def test_time_keeps_its_nanoseconds(table: ColdTable) -> None:
    put(table, "A/B", 1.0, 2.0)
    (batch,) = table.read({"symbol": "A/B"})
    assert batch.column("ts").cast(pa.int64()).to_pylist() == [7, 1_007]
    assert table.schema().names == ["ts", "symbol", "bid"]


def test_vacuum_removes_what_no_version_needs_and_spares_what_is_pinned(table: ColdTable) -> None:
    first = put(table, "A/B", 1.0)
    second = put(table, "A/B", 2.0)
    put(table, "A/B", 3.0)
    assert len(table.vacuum(0, [first])) == 1
    assert bids(table, "A/B", first) == [1.0]
    with pytest.raises(LakeError):
        bids(table, "A/B", second)
    assert bids(table, "A/B") == [3.0]


def test_column_that_is_new_is_added(table: ColdTable) -> None:
    put(table, "A/B", 1.0)
    wider = rows("C/D", 2.0).append_column("ask", pa.array([3.0]))
    table.replace({"symbol": "C/D"}, wider.schema, wider.to_batches())
    asks = [ask for batch in table.read({}) for ask in batch.column("ask").to_pylist()]
    assert sorted(asks, key=str) == [3.0, None]


def test_rows_of_a_table_that_got_and_lost_columns_are_laid_over_those_of_before(
    table: ColdTable, tmp_path: Path
) -> None:
    before = rows("A/B", 1.0, 2.0).append_column("gone", pa.array(["x", "y"]))
    table.replace({"symbol": "A/B"}, before.schema, before.to_batches())
    fresh = rows("A/B", 5.0, 6.0, 7.0).slice(1).append_column("new", pa.array([8, 9]))
    file = tmp_path / "fresh.parquet"
    write_rows(file, fresh.schema, fresh.to_batches())
    merged(table, {"symbol": "A/B"}, ["ts", "symbol"], file)
    found = pa.Table.from_batches(list(rows_of(file))).drop_columns(["ts"]).to_pydict()
    assert (found["bid"], found["gone"], found["new"]) == ([1.0, 6.0, 7.0], ["x", None, None], [None, 8, 9])
    written = table.replace_from({"symbol": "A/B"}, file)
    space = Space(256, tmp_path)
    assert digest_part(table, {"symbol": "A/B"}, ["ts", "symbol"], written.version, space) == digest_rows(
        file, ["ts", "symbol"]
    )
    assert table.counts() == {("A/B",): 3}


def test_column_that_no_row_of_a_part_has_does_not_change_its_fingerprint(table: ColdTable, tmp_path: Path) -> None:
    first = put(table, "A/B", 1.0, 2.0)
    wider = rows("C/D", 2.0).append_column("ask", pa.array([3.0]))
    second = table.replace({"symbol": "C/D"}, wider.schema, wider.to_batches()).version
    space = Space(256, tmp_path)
    digests = [digest_part(table, {"symbol": "A/B"}, ["ts"], version, space) for version in (first, second)]
    assert digests[0] == digests[1]


def test_small_files_become_one_and_the_rows_stay(table: ColdTable) -> None:
    put(table, "A/B", 0.0)
    for number in (1.0, 2.0, 3.0):
        (batch,) = rows("A/B", number).to_batches()
        write_deltalake(table.uri, pa.Table.from_batches([to_delta(batch, delta_schema(batch.schema))]), mode="append")
    assert table.compact() == 4
    assert len(DeltaTable(table.uri).file_uris()) == 1
    assert sorted(bids(table, "A/B")) == [0.0, 1.0, 2.0, 3.0]


def test_write_that_fails_half_way_is_seen_by_nobody(table: ColdTable) -> None:
    put(table, "A/B", 1.0)
    broken = iter([*rows("A/B", 5.0).to_batches(), None])
    with pytest.raises(Exception, match=r".+"):
        table.replace({"symbol": "A/B"}, rows("A/B").schema, broken)  # type: ignore[arg-type] # that is the failure
    assert bids(table, "A/B") == [1.0]


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (CommitFailedError("x"), LakeUnavailable),
        (TableNotFoundError("x"), LakeRejected),
        (DeltaProtocolError("x"), LakeRejected),
        (SchemaMismatchError("x"), LakeRejected),
        (DeltaError("x"), LakeUnavailable),
        (OSError("x"), LakeUnavailable),
        (pa.ArrowInvalid("x"), LakeRejected),
    ],
)
def test_every_error_of_the_library_becomes_one_of_ours(foreign: Exception, ours: type[LakeError]) -> None:
    with pytest.raises(ours, match="s3://cold"), mapped("s3://cold"):
        raise foreign


def test_lake_lies_in_a_folder_here_or_elsewhere(tmp_path: Path) -> None:
    assert LakeConfig().folder(tmp_path) == tmp_path / "lake"
    assert LakeConfig(location="/cold").folder(tmp_path) == Path("/cold")
    assert LakeConfig(location="s3://cold/prod").folder(tmp_path) is None


def test_keys_of_s3_are_options_and_stand_in_no_text() -> None:
    config = LakeConfig(
        location="s3://cold/prod",
        s3_endpoint="http://here:1",
        s3_access_key=SecretStr("k"),
        s3_secret_key=SecretStr("deep"),
    )
    assert storage_options(config)["AWS_SECRET_ACCESS_KEY"] == "deep"
    assert storage_options(config)["AWS_ALLOW_HTTP"] == "true"
    assert "deep" not in repr(Lake.of(config, Path("x")))
    assert "deep" not in repr(Lake.of(config, Path("x")).table("t"))


def test_rule_that_drops_before_it_copies_is_refused() -> None:
    with pytest.raises(ValidationError, match="drop_after_days"):
        TierRule(table="trades", cold_after_days=3, drop_after_days=3)
    with pytest.raises(ValidationError, match="twice"):
        LakeConfig(tiers=(TierRule(table="trades"), TierRule(table="trades")))
    with pytest.raises(ValidationError, match="together"):
        LakeConfig(s3_access_key=SecretStr("k"))
