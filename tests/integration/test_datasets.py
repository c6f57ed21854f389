"""Goal: a version of a dataset stays as it was made, whatever happens afterwards, and says what it is worth."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable
from typer.testing import CliRunner

from analytics.catalog import definitions
from analytics.datasets.checkout import put
from analytics.datasets.commands import checkout_app, diff_app, make_app, retire_app, versions_app
from analytics.datasets.events import DatasetsProjection, Source
from analytics.datasets.maker import Datasets, NothingKnown, manifest_of, whole_micros
from analytics.datasets.registry import Registry, Version
from analytics.facts import BarKey, BarValues, Span, Stamp, ValueKey
from analytics.freeze import Freezer
from analytics.jobs import TRAIN, opened
from analytics.models.artifact import load
from analytics.scoring import Scorer
from analytics.testing import SyntheticMarket
from analytics.truth import TruthReader
from ares.clock import MINUTE_NS, NANOS_PER_SECOND, Clock, SystemClock, floor_ns, to_datetime
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, IngestConfig
from ares.config.training import TrainingConfig
from ares.control import ControlStore
from ares.errors import OperatingError, UnknownName, UsageError
from ares.events import EventRegistry
from ares.lake.frame import difference
from ares.lake.versions import digest_of
from ares.model.market import Trade
from ares.model.row import Row, UtcNs
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ares.testing.clock import SteppedClock
from tests.helpers import ROOT, settings_file
from tests.integration.test_analytics_real_data import RECORDING, recorded_trades

BTC, ETH = "BTC/USDT", "ETH/USDT"
FEATURES = ["momentum_15_v1", "rsi_14_v1"]
BARS = 30
TABLES = ["bar_facts", "feature_values", "gaps", "quality_checks"]


class Frozen:
    """Bars and features of one venue, frozen by hand; `now_ns` is when."""

    def __init__(self, writer: RowWriter, database: Database, venue: str) -> None:
        self.writer, self.database, self.venue = writer, database, venue
        self.start_ns = floor_ns(SystemClock().now_ns(), MINUTE_NS) - 6 * 60 * MINUTE_NS

    @property
    def source(self) -> Source:
        return Source(self.venue, [BTC, ETH], FEATURES, self.start_ns, self.start_ns + BARS * MINUTE_NS)

    def at(self, minute: int) -> int:
        return self.start_ns + minute * MINUTE_NS

    async def freeze(
        self,
        minutes: Sequence[int],
        *,
        revision: int = 0,
        shift: float = 0.0,
        known_ns: int = 0,
        status: str = "traded",
    ) -> None:
        rows = []
        for minute in minutes:
            ts_ns = self.at(minute)
            stamp = Stamp(self.venue, known_ns or ts_ns + MINUTE_NS, 0)
            for place, symbol in enumerate((BTC, ETH)):
                price = 100.0 + 10 * place + minute % 7 - minute % 3 + shift
                bar = BarValues(status, "trades", price, price, price, price, 1.0, price, 4, 0.5)
                rows.append(stamp.bar(BarKey(symbol, ts_ns), revision, bar, "h"))
                keys = [ValueKey(symbol, ts_ns, name, 1) for name in ("momentum_15", "rsi_14")]
                rows += [stamp.feature(key, revision, price % 5, "h") for key in keys]
        await self.write(rows)

    async def write(self, rows: Sequence[Row]) -> None:
        await self.writer.write(rows)
        await self.database.wait_applied(TABLES)

    async def check(self, grade: str, run_ns: int, minute: int = 0) -> None:
        span = {"span_from": UtcNs(self.at(minute)), "span_to": UtcNs(self.at(minute + 60))}
        symbols = {"check_name": "off_tick", "venue": self.venue, "symbol": BTC, "channel": "trades", "grade": grade}
        await self.write([Row("quality_checks", run_ns, symbols, {"observed": 1.0, **span})])


@pytest.fixture
def frozen(writer: RowWriter, database: Database, venue: str) -> Frozen:
    return Frozen(writer, database, venue)


def context_of(database: DatabaseConfig, venue: str, state_dir: Path, **training: object) -> ServiceContext:
    settings = TrainingConfig.model_validate({"model": f"of_{venue}", "rows_min": 50, "window_hours": 24.0, **training})
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=state_dir),
        database=database,
        ingest=IngestConfig(venue=venue, symbols=(BTC, ETH)),
        training=settings,
    )
    return ServiceContext(config, SystemClock(), "test")


@pytest.fixture
async def datasets(questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> AsyncIterator[Datasets]:
    async with opened(context_of(questdb_config, venue, tmp_path)) as there:
        yield there


def known(frozen: Frozen, minute: int = BARS) -> int:
    return frozen.at(minute) + 5 * MINUTE_NS


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def test_checked_out_version_is_the_same_to_the_byte_after_later_events_and_corrections(
    frozen: Frozen, datasets: Datasets, tmp_path: Path
) -> None:
    await frozen.freeze(range(BARS))
    version, frame = await datasets.make("d", frozen.source, known(frozen), "test")
    assert (version.id, frame.rows, version.made.judged.gaps) == ("d@1", 2 * BARS, "whole")
    put(tmp_path / "before", datasets.content(version), manifest_of(version))
    await frozen.freeze(range(5, 9), revision=1, shift=3.0, known_ns=frozen.at(60))  # late trades rewrote bars
    await frozen.freeze(range(BARS, 2 * BARS))
    longer = replace(frozen.source, to_ns=frozen.at(2 * BARS))
    newer, later = await datasets.make("d", longer, frozen.at(70), "test")
    assert (newer.id, newer.made.delta_version) == ("d@2", 1)
    again = datasets.registry.get("d@1")
    put(tmp_path / "after", datasets.content(again), manifest_of(again))
    assert folder_bytes(tmp_path / "before") == folder_bytes(tmp_path / "after")
    assert digest_of(await datasets.read(again)) == digest_of(frame) == digest_of(await datasets.rebuild(again))
    found = difference(frame, later)
    assert {key[0] for key in found.changed} == {frozen.at(minute) for minute in range(5, 9)}
    assert {"open", "revision", "rsi_14_v1"} <= set(found.changed_columns)
    assert (len(found.added), found.removed) == (2 * BARS, ())
    table = DeltaTable(f"{datasets.lake.root}/{version.made.location}", version=0)
    assert table.to_pyarrow_table().num_rows == 2 * BARS, "Delta's own time travel leads to the version"


async def test_version_is_made_once_however_often_it_is_asked_for(frozen: Frozen, datasets: Datasets) -> None:
    await frozen.freeze(range(BARS))
    first, _ = await datasets.make("d", frozen.source, known(frozen), "test")
    second, _ = await datasets.make("d", frozen.source, known(frozen) + MINUTE_NS, "test")
    assert (first.id, second) == ("d@1", first)
    assert len(datasets.registry.versions("d")) == 1


async def test_only_what_was_known_then_is_in_a_version(frozen: Frozen, datasets: Datasets) -> None:
    await frozen.freeze(range(BARS))
    _, frame = await datasets.make("d", frozen.source, frozen.at(10), "test")
    assert max(int(str(ts_ns)) for ts_ns in frame.data["ts"]) == frozen.at(9)
    with pytest.raises(NothingKnown, match="no bar of"):
        await datasets.make("e", frozen.source, frozen.start_ns, "test")
    assert datasets.registry.names() == ["d"]


async def test_two_makers_at_once_get_two_numbers_and_keep_their_rows_apart(
    frozen: Frozen, questdb_config: DatabaseConfig, venue: str, tmp_path: Path
) -> None:
    await frozen.freeze(range(BARS))
    spans = [replace(frozen.source, to_ns=frozen.at(minutes)) for minutes in (10, 20, 30)]

    async def make(source: Source) -> Version:
        async with opened(context_of(questdb_config, venue, tmp_path)) as own:
            return (await own.make("d", source, known(frozen), "test"))[0]

    made = await asyncio.gather(*(make(source) for source in spans))
    assert sorted(version.id for version in made) == ["d@1", "d@2", "d@3"]
    async with opened(context_of(questdb_config, venue, tmp_path)) as own:
        rows = [(await own.read(version)).rows for version in made]
    assert rows == [20, 40, 60]


async def test_week_of_late_trades_behind_a_real_recording_leaves_its_version_as_it_was(
    database: Database, writer: RowWriter, datasets: Datasets, venue: str, tmp_path: Path
) -> None:
    trades = sorted(recorded_trades([RECORDING], venue), key=lambda trade: trade.ts_ns)
    start_ns, end_ns = (floor_ns(trade.ts_ns, MINUTE_NS) for trade in (trades[0], trades[-1]))
    span, watermarks = Span(start_ns, end_ns - MINUTE_NS), {BTC: end_ns + NANOS_PER_SECOND}
    clock = SteppedClock(end_ns + 2 * NANOS_PER_SECOND)
    scorer = Scorer(database, venue, "direction", tmp_path)
    freezer = Freezer(TruthReader(database, venue), writer, scorer, clock, NANOS_PER_SECOND)
    marks = SyntheticMarket(venue, symbols=[BTC]).marks(clock.now_ns(), watermarks[BTC])
    await writer.write([*trades, *marks])
    await database.wait_applied(["trades", "ingest_watermarks"])
    bars = await freezer.freeze_again({BTC: span}, watermarks)
    every = [each.view for each in definitions("feature")]
    source = Source(venue, [BTC], every, start_ns, end_ns)
    version, frame = await datasets.make("real", source, whole_micros(clock.now_ns()), "test")
    assert frame.rows == bars > 5
    put(tmp_path / "before", datasets.content(version), manifest_of(version))
    late = []
    for each in trades[len(trades) // 3 : -len(trades) // 3 : 200]:
        ids, seen = (f"9{each.trade_id}", 10**11 + each.seq), (each.ts_ns, clock.now_ns(), "replay")
        late.append(Trade(venue, BTC, *ids, each.side, each.price * 1.01, each.amount, *seen))
    await writer.write(late)
    await clock.advance(7 * 24 * 3_600)
    await database.wait_applied(["trades"])
    assert await freezer.freeze_again({BTC: span}, watermarks)
    newer, other = await datasets.make("real", source, whole_micros(clock.now_ns()), "test")
    assert (newer.id, newer.made.judged) == ("real@2", version.made.judged)
    put(tmp_path / "after", datasets.content(version), manifest_of(datasets.registry.get("real@1")))
    assert folder_bytes(tmp_path / "before") == folder_bytes(tmp_path / "after")
    changed = difference(frame, other)
    assert changed.changed
    assert not changed.added
    assert not changed.removed
    assert difference(frame, await datasets.rebuild(version)).same


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from analytics.datasets.events import Source
from analytics.jobs import opened
from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig
from ares.lake.versions import VersionedTable
from ares.service import ServiceContext

class Slow(SystemClock):
    def now_ns(self):
        return super().now_ns() - 59_000_000_000

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

database, venue, state_dir, start, end = sys.argv[1:]
VersionedTable._version_of = die
environment = EnvironmentConfig(state_dir=Path(state_dir))
config = AresConfig(environment=environment, database=DatabaseConfig.model_validate_json(database))

async def main():
    async with opened(ServiceContext(config, Slow(), "killed")) as datasets:
        source = Source(venue, ["BTC/USDT"], ["rsi_14_v1"], int(start), int(end))
        await datasets.make("d", source, int(end) + 300_000_000_000, "killed")

asyncio.run(main())
"""
"""The maker's clock is behind, so that what it holds runs out in a second and not in a minute."""


async def test_maker_that_is_killed_leaves_no_half_version(
    frozen: Frozen,
    datasets: Datasets,
    questdb_config: DatabaseConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await frozen.freeze(range(BARS))
    ends = [str(frozen.source.from_ns), str(frozen.source.to_ns)]
    arguments = [
        questdb_config.model_dump_json(include={"http_port", "pg_port"}),
        frozen.venue,
        str(tmp_path),
        *ends,
    ]
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED, *arguments],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert datasets.registry.versions("d") == []

    class DeathError(BaseException):
        """Nobody catches it."""

    def die(*_: object) -> None:
        raise DeathError

    monkeypatch.setattr(Registry, "add", die)  # this time before its version is recorded
    with pytest.raises(DeathError):
        await datasets.make("d", frozen.source, known(frozen), "test")
    monkeypatch.undo()
    assert datasets.registry.versions("d") == []
    version, frame = await datasets.make("d", frozen.source, known(frozen), "test")
    assert (version.id, version.made.delta_version) == ("d@1", 2)
    assert digest_of(await datasets.read(version)) == digest_of(frame)


async def test_gaps_and_grades_of_the_span_are_the_verdict(frozen: Frozen, datasets: Datasets) -> None:
    await frozen.freeze([minute for minute in range(BARS) if minute != 4])
    await frozen.freeze([7], revision=1, status="gap", known_ns=frozen.at(8) + 1_000)
    symbols = {"venue": frozen.venue, "symbol": BTC, "channel": "trades", "status": "open", "cause": "disconnect"}
    span = {"started_at": UtcNs(frozen.at(3)), "ended_at": UtcNs(frozen.at(8))}
    await frozen.write([Row("gaps", frozen.at(9), symbols, {"gap_id": frozen.venue, "revision": 0, **span})])
    await frozen.check("fail", frozen.at(70), minute=100)
    await frozen.check("warn", frozen.at(60))
    version, _ = await datasets.make("d", frozen.source, known(frozen), "test")
    verdict = version.made.judged
    assert (verdict.gaps, verdict.open_gaps, verdict.gap_bars, verdict.missing_bars) == ("gaps", 1, 2, 2)
    assert (verdict.quality, verdict.not_ok) == ("warn", ["warn off_tick BTC/USDT trades"])
    await frozen.write(
        [Row("gaps", frozen.at(80), {**symbols, "status": "healed"}, {"gap_id": frozen.venue, "revision": 1, **span})]
    )
    healed, _ = await datasets.make("d", frozen.source, known(frozen), "test")
    assert (healed.id, healed.made.judged.open_gaps) == ("d@2", 0)
    assert healed.made.files == version.made.files, "the same rows, judged anew, are not written twice"
    await datasets.retire(version, "test", "judged anew")
    assert (await datasets.read(healed)).rows == 2 * (BARS - 1), "files that another version holds stay"


async def test_version_names_the_text_of_every_view_below_it(frozen: Frozen, datasets: Datasets) -> None:
    await frozen.freeze(range(BARS))
    version, _ = await datasets.make("d", replace(frozen.source, features=["rsi_14_v1"]), known(frozen), "test")
    hashes = version.made.view_hashes
    bars = {"bars_1m_checked", "bars_1m", "bar_days", "venue_bar_days"}
    assert {"bars_asof", "features_asof", "rsi_14_v1", *bars} == set(hashes)


async def test_version_that_a_model_learnt_from_cannot_be_given_up(frozen: Frozen, datasets: Datasets) -> None:
    await frozen.freeze(range(BARS))
    version, _ = await datasets.make("d", frozen.source, known(frozen), "test")
    datasets.registry.cite(version, "m@1")
    with pytest.raises(UsageError, match="m@1 learnt from it"):
        await datasets.retire(version, "test", "old")
    other, _ = await datasets.make("d", replace(frozen.source, to_ns=frozen.at(9)), known(frozen), "test")
    await datasets.retire(other, "test", "old")
    await datasets.retire(other, "test", "old")
    gone = datasets.registry.get(other.id)
    for refused in (datasets.read(gone), asyncio.to_thread(datasets.registry.cite, gone, "m@2")):
        with pytest.raises(UsageError, match=r"given up \(old\)"):
            await refused
    assert datasets.registry.get("d").id == "d@1"
    with pytest.raises(OperatingError, match="not found"):
        list(datasets.content(gone))


async def test_altered_file_is_found(frozen: Frozen, datasets: Datasets) -> None:
    await frozen.freeze(range(BARS))
    version, _ = await datasets.make("d", frozen.source, known(frozen), "test")
    file = Path(datasets.lake.root) / version.made.location / version.made.files[0].path
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(OperatingError, match="not as it was recorded"):
        await datasets.read(version)


async def test_log_alone_gives_the_table_again(frozen: Frozen, datasets: Datasets, control: ControlStore) -> None:
    await frozen.freeze(range(BARS))
    version, _ = await datasets.make("d", frozen.source, known(frozen), "test")
    other, _ = await datasets.make("d", replace(frozen.source, to_ns=frozen.at(9)), known(frozen), "test")
    datasets.registry.cite(version, "m@1")
    await datasets.retire(other, "test", "old")
    mirrored = [entry.row for entry in datasets.control.outbox(0, 100) if entry.row.table == "datasets"]
    registry = EventRegistry.installed()
    folded = DatasetsProjection().fold(registry.read(each) for each in datasets.control.read("dataset/d"))
    assert list(folded) == mirrored
    await frozen.writer.write(mirrored)
    await frozen.database.wait_applied(["datasets"])
    live = DatasetsProjection.live["datasets"]
    stamps = [row.ts_ns for row in mirrored]
    params = {"lo": to_datetime(min(stamps) - NANOS_PER_SECOND), "hi": to_datetime(max(stamps) + NANOS_PER_SECOND)}
    rows = await frozen.database.fetch(live, {**params, "rows_max": 10})
    mine = [
        (r["version"], r["status"], r["gap_verdict"])
        for r in rows
        if r["location"] == "datasets/d" or r["rows"] is None
    ]
    assert (1, "made", "whole") in mine


async def test_models_trained_twice_on_one_version_are_the_same_to_the_byte(
    frozen: Frozen, datasets: Datasets, questdb_config: DatabaseConfig, venue: str, tmp_path: Path
) -> None:
    await frozen.freeze(range(300))
    first = await TRAIN.run(context_of(questdb_config, venue, tmp_path))
    assert (first["status"], first["dataset"]) == ("ok", f"of_{venue}@1"), first
    await frozen.freeze(range(50), revision=1, shift=9.0, known_ns=SystemClock().now_ns())
    second = await TRAIN.run(context_of(questdb_config, venue, tmp_path, dataset=f"of_{venue}@1"))
    third = await TRAIN.run(context_of(questdb_config, venue, tmp_path))
    assert (second["dataset"], third["dataset"]) == (f"of_{venue}@1", f"of_{venue}@2")
    runs = await frozen.database.fetch(
        "SELECT version, artifact, artifact_sha256, dataset FROM training_runs WHERE model = %(model)s ORDER BY ts",
        {"model": f"of_{venue}"},
    )
    hashes = [str(run["artifact_sha256"]) for run in runs]
    assert hashes[0] == hashes[1] != hashes[2]
    model = load(tmp_path / str(runs[1]["artifact"]), hashes[1], str(runs[1]["version"]))
    assert model.version == runs[1]["version"]
    cited = datasets.registry.get(f"of_{venue}@1").cited_by
    assert cited == tuple(f"of_{venue}@{run['version']}" for run in runs[:2])
    said = {
        (row.columns["from_name"], row.columns["to_name"])
        for row in (entry.row for entry in datasets.control.outbox(0, 1_000))
        if row.table == "lineage"
    }
    assert {(f"of_{venue}@1", cited[1]), ("rsi_14_v1", cited[0]), ("features_asof", f"of_{venue}@1")} <= said


async def test_data_of_failed_quality_are_not_learnt_from_unless_that_is_wanted(
    frozen: Frozen, questdb_config: DatabaseConfig, venue: str, tmp_path: Path
) -> None:
    await frozen.freeze(range(300))
    await frozen.check("fail", SystemClock().now_ns())
    refused = await TRAIN.run(context_of(questdb_config, venue, tmp_path))
    assert refused["status"] == "refused"
    assert "fail (fail off_tick BTC/USDT trades)" in str(refused["reason"])
    assert not (tmp_path / "models").exists()
    taken = await TRAIN.run(context_of(questdb_config, venue, tmp_path, failed_quality="accept"))
    assert taken["status"] == "ok"
    assert "fail, accepted by training.failed_quality" in str(taken["reason"])


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue)))
    return CliRunner()


async def test_a_day_of_an_analyst_on_the_command_line(cli: CliRunner, frozen: Frozen, tmp_path: Path) -> None:
    async def run(app: object, *words: str) -> str:
        result = await asyncio.to_thread(cli.invoke, app, words, catch_exceptions=False)  # type: ignore[arg-type]
        return result.stdout

    await frozen.freeze(range(BARS))
    start, middle, end = (f"{to_datetime(frozen.at(minute)):%Y-%m-%dT%H:%M:%S}" for minute in (0, 9, BARS))
    span = ["--from", start, "--to", end, "--feature", "rsi_14"]
    (made,) = json.loads(await run(make_app, "mine", *span, "--json"))
    assert (made["version"], made["rows"], made["gaps"], made["quality"]) == ("mine@1", 60, "whole", "unknown")
    await run(make_app, "mine", "--from", start, "--to", middle, "--feature", "momentum_15_v1")
    (both,) = [json.loads(await run(versions_app, "--json"))]
    assert [row["version"] for row in both] == ["mine@1", "mine@2"]
    said = {row["what"]: row["count"] for row in json.loads(await run(diff_app, "mine@1", "mine@2", "--json"))}
    assert (said["rows removed"], said["columns added"], said["views changed"]) == (42, 1, 2)
    same = json.loads(await run(diff_app, "mine@1", "rebuilt", "--json"))
    assert {row["count"] for row in same} == {0}
    out = tmp_path / "out"
    assert "mine@1 is in" in await run(checkout_app, "mine@1", "--to", str(out))
    assert "was already in" in await run(checkout_app, "mine@1", "--to", str(out))
    assert sorted(file.name for file in out.iterdir()) == ["dataset.json", "part-00000.parquet"]
    assert json.loads((out / "dataset.json").read_text())["version"] == 1
    with pytest.raises(UsageError, match="holds something else"):
        await run(checkout_app, "mine@2", "--to", str(out))
    assert "mine@2 is given up" in await run(retire_app, "mine@2", "--why", "a try")
    for words, error in ((["mine@9"], UnknownName), (["Mine"], UsageError)):
        with pytest.raises(error):
            await run(diff_app, *words, "mine@1")


async def test_version_is_not_given_up_while_one_is_made_that_may_take_over_its_files(
    frozen: Frozen, datasets: Datasets
) -> None:
    await frozen.freeze(range(BARS))
    version, frame = await datasets.make("d", frozen.source, known(frozen), "test")
    lease = datasets.control.acquire_lease("dataset/d", "maker", SystemClock().now_ns(), 60)
    assert lease is not None
    giving_up = asyncio.create_task(datasets.retire(version, "test", "old"))
    judged_anew = replace(version.made, judged=replace(version.made.judged, quality="ok"))
    await asyncio.sleep(0.3)
    newer = datasets.registry.add(judged_anew)
    datasets.control.release_lease(lease)
    await giving_up
    assert digest_of(await datasets.read(newer)) == digest_of(frame), "its files were not deleted with the other's"


async def test_maker_that_waits_too_long_for_another_says_who_is_in_the_way(frozen: Frozen, datasets: Datasets) -> None:
    await frozen.freeze(range(BARS))
    clock: Clock = SystemClock()
    assert datasets.control.acquire_lease("dataset/d", "another", clock.now_ns(), 60)
    datasets.config = datasets.config.model_copy(update={"wait_s_max": 0.3})
    with pytest.raises(OperatingError, match="somebody else has made a version"):
        await datasets.make("d", frozen.source, known(frozen), "test")
    assert Registry(datasets.control, clock).versions("d") == []
