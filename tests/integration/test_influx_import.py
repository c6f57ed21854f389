"""`ares data import` of what an InfluxDB exports: points come field by field, in no order, with or without ids."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND, SystemClock
from ares.errors import CopyUnavailable, OperatingError, UsageError
from ares.model.market import Trade
from ares.store import RowWriter
from ingest.imports.derived import DERIVED_MIN
from tests.conftest import free_port
from tests.integration.test_imports import (
    ARCHIVE,
    BASE_MS,
    DAY_MS,
    EVERYTHING,
    HOLES,
    KLINES,
    REFUSED,
    STORED,
    SYMBOL,
    Hand,
    hand,
    keep_days,
    own_settings,
    usual_logs,
)

__all__ = ["hand", "own_settings", "usual_logs"]

POINTS = ("--measurement", "trades-OTHER", "--where", "symbol=BTC-USDT")
IDS = (*POINTS, "--map", "trade_id=id")
START_NS = BASE_MS * NANOS_PER_MILLI
HEAD = "# INFLUXDB EXPORT: 1677-09-21T00:12:43Z - 2262-04-11T23:47:16Z\n# DDL\nCREATE DATABASE x WITH NAME y\n# DML\n"


def exported(seqs: range, start_ns: int = START_NS, symbol: str = "BTC-USDT") -> str:
    """Field after field, as InfluxDB keeps them; every 250 ms two trades, which differ in a tag or stand 1 ns apart."""
    fields = {"price": "{}.25", "amount": "0.5", "id": '"{}"', "receipt_timestamp": "1704067200.5", "delta": "false"}
    lines = [
        f"trades-OTHER,symbol={symbol},side={'buy' if seq % 3 else 'sell'} {name}={form.format(seq)} "
        f"{start_ns + seq // 2 * 250_000_000 + seq % 2}"
        for name, form in fields.items()
        for seq in seqs
    ]
    return HEAD + "\n".join(lines) + "\n"


def written(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["x.lp", "x.lp.gz"])
async def test_points_of_an_export_become_the_trades_of_one_symbol(hand: Hand, tmp_path: Path, name: str) -> None:
    text = exported(range(1, 401)) + exported(range(1, 401), symbol="ETH-USDT")
    [figures] = await hand.imports(written(tmp_path / name, text), *IDS)
    assert (figures["layout"], figures["rows"], figures["written"]) == ("influx-trades", 400, 400)
    stored = await hand.rows(STORED)
    assert [(row["seq"], row["trade_id"], row["price"]) for row in stored] == [
        (seq, str(seq), seq + 0.25) for seq in range(1, 401)
    ]
    assert [row["side"] for row in stored[:3]] == ["buy", "buy", "sell"]
    assert stored[2]["ts_ns"] == START_NS + 250_000_000, "cut to the resolution of the venue"
    assert await hand.rows(HOLES) == []
    [again] = await hand.imports(written(tmp_path / name, text), *IDS)
    assert (again["written"], again["known"]) == (0, 400)


async def test_holes_between_ids_are_said(hand: Hand, tmp_path: Path) -> None:
    path = written(tmp_path / "x.lp", exported(range(1, 11)) + exported(range(21, 31)))
    await hand.imports(path, *IDS)
    assert [(hole["status"], hole["first_seq"], hole["last_seq"]) for hole in await hand.rows(HOLES)] == [
        ("lost", 11, 20)
    ]


async def test_trades_without_ids_get_the_same_ones_each_time_and_say_nothing_of_holes(
    hand: Hand, tmp_path: Path
) -> None:
    path = written(tmp_path / "x.lp", exported(range(1, 401)))
    await hand.imports(path, *POINTS)
    stored, counted = await hand.rows(STORED), await hand.rows(EVERYTHING)
    assert [row["price"] for row in stored] == [seq + 0.25 for seq in range(1, 401)]
    assert all(int(str(row["seq"])) >= DERIVED_MIN for row in stored)
    part = written(tmp_path / "part.lp", exported(range(101, 501)))
    [again] = await hand.imports(part, *POINTS, "--from", "2024-01-01T00:00:20", "--to", "2024-01-01T00:00:30")
    assert (again["rows"], again["known"], again["written"]) == (80, 80, 0)
    assert await hand.rows(EVERYTHING) == counted
    assert await hand.rows(STORED) == stored
    assert await hand.rows(HOLES) == []


async def test_trades_of_one_time_with_ids_and_without_are_not_mixed(
    hand: Hand, writer: RowWriter, tmp_path: Path
) -> None:
    ts_ns = START_NS + 40 * NANOS_PER_SECOND
    await writer.write([Trade(hand.venue, SYMBOL, "7", 7, "buy", 1.0, 1.0, ts_ns, ts_ns, "stream")])
    path = written(tmp_path / "x.lp", exported(range(1, 401)))
    with pytest.raises(UsageError, match=r"would be there twice.*--map trade_id"):
        await hand.imports(path, *POINTS)
    [figures] = await hand.imports(path, *POINTS, "--to", "2024-01-01T00:00:40")
    assert figures["written"] == 319
    with pytest.raises(UsageError, match="that came without ids"):
        await hand.imports(path, *IDS)


async def test_points_older_than_the_retention_go_to_the_archive_and_into_no_hole(
    hand: Hand, own_settings: Path, tmp_path: Path
) -> None:
    keep_days(own_settings, 30)
    start_ns = (SystemClock().now_ns() // NANOS_PER_MILLI - 40 * DAY_MS) * NANOS_PER_MILLI
    path = written(tmp_path / "old.lp", exported(range(1, 51), start_ns))
    for arguments in (IDS, IDS):
        [figures] = await hand.imports(path, *arguments)
    assert (figures["archived"], figures["known"], figures["written"]) == (0, 50, 0)
    assert [row["seq"] for row in await hand.rows(ARCHIVE)] == list(range(1, 51))
    assert await hand.rows(STORED) == []
    assert await hand.rows(HOLES) == []


async def test_what_is_no_trade_or_no_point_lies_in_quarantine(hand: Hand, tmp_path: Path) -> None:
    bad = (
        "trades-OTHER,symbol=BTC-USDT,side=buy price=nan,amount=1,id=901 1704067200000000011\n"
        'trades-OTHER,symbol=BTC-USDT,side=buy price=1,amount=1,id="x" 1704067200000000012\n'
        "trades-OTHER,symbol=BTC-USDT,side=up price=1,amount=1,id=903 1704067200000000013\n"
        "trades-OTHER,symbol=BTC-USDT,side=buy price=1,id=904 1704067200000000014\n"
        "trades-OTHER,symbol=BTC-USDT price=1 yesterday\n"
    )
    path = written(tmp_path / "x.lp", exported(range(1, 11)) + bad)
    for _ in range(2):
        [figures] = await hand.imports(path, *IDS)
        assert (figures["rows"], figures["refused"]) == (15, 5)
    fields = sorted(str(row["field"]) for row in await hand.rows(REFUSED))
    assert fields == ["amount", "price", "row", "side", "trade_id"]


CANDLES = """#group,false,false,true,true,false,false,true,true,true
#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string
#default,_result,,,,,,,,
,result,table,_start,_stop,_time,_value,_field,_measurement,pair
"""


async def test_candles_of_an_answer_in_annotated_csv_are_stored(hand: Hand, tmp_path: Path) -> None:
    values = {"open": 1.0, "high": 3.0, "low": 0.5, "close": 2.0, "vol": 10.0}
    text = "\r\n".join(
        CANDLES
        + "\n".join(
            f",,{table},2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,2024-01-01T00:0{minute}:00Z,{value},{name},candles,BTC"
            for minute in range(5)
        )
        + "\n"
        for table, (name, value) in enumerate(values.items())
    )
    path = written(tmp_path / "candles.csv.gz", text)
    words = ("--layout", "influx-ohlcv", "--measurement", "candles", "--map", "volume=vol", "--where", "pair=BTC")
    [figures] = await hand.imports(path, *words)
    assert (figures["layout"], figures["written"], figures["refused"]) == ("influx-ohlcv", 5, 0)
    first = (await hand.rows(KLINES))[0]
    names = ("open", "high", "low", "close", "volume", "cost")
    assert [first[name] for name in names] == [
        1.0,
        3.0,
        0.5,
        2.0,
        10.0,
        None,
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--where", "a=b"), "--measurement = None"),
        ((*POINTS, "--map", "size=amount"), "no 'size'"),
        ((*POINTS, "--map", "price"), "not name=value"),
        ((*POINTS, "--layout", "binance-klines"), "not of points"),
        ((*POINTS, "--influx", "http://127.0.0.1:1"), "a file or --influx"),
    ],
)
async def test_what_was_not_said_well_is_named(
    hand: Hand, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    with pytest.raises(UsageError) as error:
        await hand.imports(written(tmp_path / "x.lp", exported(range(1, 3))), *arguments)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--influx", "http://127.0.0.1:1", "--from", "2024-01-01"), "--bucket"),
        (("--influx", "http://127.0.0.1:1", "--bucket", "b"), "--from"),
        (("--influx", "127.0.0.1:1", "--bucket", "b"), "not an address"),
        ((), "nothing to import"),
    ],
)
async def test_server_is_asked_by_bucket_and_time(hand: Hand, arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        await hand.imports(*POINTS, *arguments)


async def test_server_that_is_not_there_is_one_error(hand: Hand) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CopyUnavailable, match="does not answer"):
        await hand.imports(*POINTS, "--influx", url, "--bucket", "b", "--from", "2024-01-01", "--to", "2024-01-02")


async def test_export_without_such_points_says_so(hand: Hand, tmp_path: Path) -> None:
    path = written(tmp_path / "x.lp", exported(range(1, 3)))
    with pytest.raises(OperatingError, match="no row was found"):
        await hand.imports(path, "--measurement", "nothing")
    with pytest.raises(UsageError, match="influx query --raw"):
        await hand.imports(written(tmp_path / "x.csv", ",result,table,_time\n,,0,x\n"), *POINTS)
