"""Goal: what holds for an endpoint that understands InfluxDB holds for an InfluxDB: points there equal rows here."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND, SystemClock, floor_ns, to_datetime
from ares.config.influx import InfluxConfig
from ares.errors import CopyDenied, CopyRejected
from ares.model.market import Trade
from ares.store import Database, RowWriter
from ingest.influx.client import Influx
from ingest.influx.copier import Copier
from ingest.influx.points import SPAN_NS
from ingest.influx.service import endpoint_of
from tests.conftest import free_port
from tests.influxd import RunningInflux, running_influx
from tests.integration.test_imports import STORED, Hand, hand, own_settings, usual_logs

__all__ = ["hand", "own_settings", "usual_logs"]

FLUX = """
from(bucket: "ares/autogen") |> range(start: -1h)
  |> filter(fn: (r) => r._measurement == "trades" and r.venue == "{venue}")
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") |> sort(columns: ["_time"])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInflux]:
    with running_influx(tmp_path_factory.mktemp("influxdb"), free_port(), free_port()) as there:
        yield there


def settings_of(server: RunningInflux, start_ns: int) -> InfluxConfig:
    return InfluxConfig(
        url=server.url, bucket=server.bucket, token=SecretStr(server.token), tables=("trades",), settle_s=0.1,
        since=to_datetime(start_ns), sweep_s=0.01,
    )  # fmt: skip


@asynccontextmanager
async def copying(database: Database, writer: RowWriter, settings: InfluxConfig) -> AsyncIterator[Copier]:
    influx = Influx(endpoint_of(settings))
    try:
        yield Copier(database, writer, lambda: influx, str(settings.target), settings, SystemClock())
    finally:
        await influx.close()


async def copied(database: Database, copier: Copier) -> None:
    await database.wait_applied(["trades", "copies"])
    copier.swept_s = float("-inf")
    while await copier.round():
        pass


def found(server: RunningInflux, start_ns: int, venue: str) -> list[dict[str, str]]:
    """The points of a venue, as its Flux tells them."""
    influx = Influx(endpoint_of(settings_of(server, start_ns)))
    with influx.query(FLUX.format(venue=venue)) as text:
        lines = [line for line in text if not line.startswith("#") and line.strip()]
    influx.close_sync()
    return list(csv.DictReader(lines))


def trades_of(venue: str, start_ns: int, seqs: range) -> list[Trade]:
    """Ten share a time."""
    return [
        Trade(
            venue, "BTC/USDT", str(seq), seq, "buy" if seq % 3 else "sell", 60_000 + seq / 7, 0.1 + seq / 13,
            start_ns + seq // 10 * 20 * NANOS_PER_MILLI, start_ns + 9 * NANOS_PER_SECOND, source="stream",
        )
        for seq in seqs
    ]  # fmt: skip


async def test_points_of_an_influxdb_equal_our_rows_and_late_ones_leave_none_of_before(
    database: Database, writer: RowWriter, server: RunningInflux, venue: str
) -> None:
    start_ns = floor_ns(SystemClock().now_ns(), SPAN_NS) - 1_500 * NANOS_PER_SECOND
    trades = trades_of(venue, start_ns, range(1, 801))
    await writer.write([trade for trade in trades if trade.seq % 10 != 4])
    async with copying(database, writer, settings_of(server, start_ns)) as copier:
        await copied(database, copier)
        assert len(found(server, start_ns, venue)) == 720
        await writer.write(trades)
        await copied(database, copier)
    points = found(server, start_ns, venue)
    assert [
        (point["trade_id"], int(point["seq"]), point["side"], float(point["price"]), float(point["amount"]))
        for point in points
    ] == [(trade.trade_id, trade.seq, trade.side, trade.price, trade.amount) for trade in trades]
    assert [int(point["ts_ns"]) for point in points] == [trade.ts_ns for trade in trades]
    assert points[0]["symbol"] == "BTC/USDT"


async def test_an_influxdb_that_does_not_know_us_or_the_bucket_is_a_denial(
    server: RunningInflux, database: Database, writer: RowWriter, venue: str
) -> None:
    start_ns = floor_ns(SystemClock().now_ns(), SPAN_NS) - 900 * NANOS_PER_SECOND
    await writer.write(trades_of(venue, start_ns, range(1, 4)))
    wrong = settings_of(server, start_ns).model_copy(update={"token": SecretStr("ares:wrong")})
    elsewhere = settings_of(server, start_ns).model_copy(update={"bucket": "nothing/autogen"})
    for settings in (wrong, elsewhere):
        async with copying(database, writer, settings) as copier:
            with pytest.raises(CopyDenied, match="does not let us in"):
                await copied(database, copier)


async def test_a_point_whose_field_has_another_type_there_is_refused_and_counted(
    server: RunningInflux, database: Database, writer: RowWriter, venue: str
) -> None:
    influx = Influx(endpoint_of(settings_of(server, 0)))
    await influx.write(b"other,venue=x price=1i 1704067200000000000")
    with pytest.raises(CopyRejected, match="field type conflict") as refused:
        await influx.write(b"other,venue=x price=1.5 1704067200000000001\nother,venue=x price=2i 1704067200000000002")
    assert refused.value.dropped == 1
    await influx.close()


async def test_what_an_influxdb_has_is_imported_from_the_server_and_from_its_export(
    server: RunningInflux, hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        f'ticks,exchange=x\\ y,side={"buy" if seq % 3 else "sell"} last={seq}.25,size=0.5,note="a, \\"b\\" {seq}" '
        f"{1_704_067_200_000_000_000 + seq * 400 * NANOS_PER_SECOND}"
        for seq in range(1, 601)
    ]
    influx = Influx(endpoint_of(settings_of(server, 0)))
    await influx.write("\n".join(lines).encode())
    await influx.close()
    words = ["--measurement", "ticks", "--map", "price=last", "--map", "amount=size", "--where", "exchange=x y"]
    asked = ["--influx", server.url, "--bucket", server.bucket, "--from", "2024-01-01", "--to", "2024-01-05"]
    monkeypatch.setenv("INFLUX_TOKEN", "ares:wrong")
    with pytest.raises(CopyDenied, match="does not let us in"):
        await hand.imports(*words, *asked)
    monkeypatch.setenv("INFLUX_TOKEN", server.token)
    [figures] = await hand.imports(*words, *asked)
    assert (figures["file"], figures["written"], figures["refused"]) == ("ares/autogen/ticks", 600, 0)
    stored = await hand.rows(STORED)
    assert [(row["price"], row["amount"]) for row in stored] == [(seq + 0.25, 0.5) for seq in range(1, 601)]
    [again] = await hand.imports(server.exported(tmp_path / "all.lp.gz"), *words)
    assert (again["rows"], again["known"]) == (600, 600), "the same ids from either"


async def test_a_copy_that_was_sent_out_comes_back_as_the_same_trades(
    server: RunningInflux, hand: Hand, writer: RowWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_ns = floor_ns(SystemClock().now_ns(), SPAN_NS) - 3_000 * NANOS_PER_SECOND
    trades = trades_of(f"{hand.venue}_before", start_ns, range(1, 201))
    await writer.write(trades)
    async with copying(hand.database, writer, settings_of(server, start_ns)) as copier:
        await copied(hand.database, copier)
    monkeypatch.setenv("INFLUX_TOKEN", server.token)
    [figures] = await hand.imports(
        "--influx", server.url, "--bucket", server.bucket, "--from", f"{to_datetime(start_ns):%Y-%m-%dT%H:%M:%S}",
        "--measurement", "trades", "--where", f"venue={hand.venue}_before", "--map", "trade_id=seq", "--map",
        "time=ts_ns",
    )  # fmt: skip
    assert figures["written"] == 200
    assert [
        (row["seq"], row["ts_ns"], row["price"], row["amount"], row["side"]) for row in await hand.rows(STORED)
    ] == [(trade.seq, trade.ts_ns, trade.price, trade.amount, trade.side) for trade in trades]
