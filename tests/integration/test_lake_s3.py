"""The cold tier and datasets in S3 are what they are on a disk: real requests to a real S3 API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import SecretStr

from ares.config.lake import LakeConfig
from ares.errors import LakeError
from ares.lake.delta import Lake
from ares.lake.files import write_rows
from ares.lake.fold import digest_part, digest_rows
from ares.lake.frame import Column, frame_of
from ares.lake.sql import Space
from ares.lake.versions import VersionedTable, digest_of
from tests.conftest import free_port
from tests.s3 import locked, running_s3

COLUMNS = (Column("ts", "moment"), Column("symbol", "text"), Column("close", "number"))


@pytest.fixture(scope="module")
def lake() -> Iterator[Lake]:
    key = SecretStr("test")
    with running_s3(free_port(), "cold") as server, locked(server) as url:
        config = LakeConfig(location="s3://cold/prod/", s3_endpoint=url, s3_access_key=key, s3_secret_key=key)
        yield Lake.of(config, Path("/nowhere"))


def test_day_is_copied_proved_replaced_and_tidied(lake: Lake, tmp_path: Path) -> None:
    table, part = lake.table("cold/quotes", ("symbol", "day")), {"symbol": "O'X/USDT", "day": "2026-11-01"}
    for rows in (3, 2):
        data = pa.table(
            {
                "ts": pa.array([1_000 * n + 7 for n in range(rows)], pa.timestamp("ns")),
                "symbol": [part["symbol"]] * rows,
                "day": [part["day"]] * rows,
                "bid": [None, *(float(n) for n in range(1, rows))],
            }
        )
        file = tmp_path / "day.parquet"
        write_rows(file, data.schema, data.to_batches())
        written = table.replace_from(part, file)
        proved = digest_part(table, part, ["ts", "symbol"], written.version, Space(256, tmp_path))
        assert proved == digest_rows(file, ["ts", "symbol"])
        assert table.counts() == {("O'X/USDT", "2026-11-01"): rows}
    table.compact()
    assert len(table.vacuum(0, [])) == 1
    assert sum(batch.num_rows for batch in table.read(part)) == 2


def test_version_of_a_dataset_is_the_same_to_the_byte_until_it_is_given_up(lake: Lake) -> None:
    table = VersionedTable(f"{lake.root}/datasets/d", lake.options)
    first = frame_of(COLUMNS, 2, [[60_000_000_000, "A", 1.5], [0, "A", None]])
    versions = [table.write(first, "one")]
    content = table.content(versions[0].files[0])
    versions.append(table.write(frame_of(COLUMNS, 2, [[0, "A", 2.0]]), "two"))
    assert [version.delta_version for version in versions] == [0, 1]
    assert table.content(versions[0].files[0]) == content
    assert digest_of(table.read(versions[0].files, COLUMNS, 2)) == digest_of(first)
    table.delete(versions[0].files)
    table.delete(versions[0].files)
    with pytest.raises(LakeError):
        table.content(versions[0].files[0])
    assert table.read(versions[1].files, COLUMNS, 2).rows == 1
