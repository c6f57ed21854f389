"""Goal: what was backed up comes back on an empty machine, whole or not at all, and a drill proves it every day."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_SECOND
from ares.control import AuditEntry, ControlStore, NewEvent
from ares.errors import BackupError, DrillFailed, RepositoryLocked, UsageError
from ares.model.row import Row, UtcNs
from ares.service import ServiceContext
from ares.service.beside import beside
from backup.drill.digest import TableReader, tables
from backup.drill.run import Drill, Drilled, outcome
from backup.journal.keeper import keep_journal
from backup.lock import only_one
from backup.manifest import manifest_file
from backup.restore import run as restoring
from backup.restore.run import Restore, Restored, Wish
from backup.restore.scratch import Scratch, scratch
from backup.restore.staging import arrange
from backup.restore.table import Table, copy_missing
from tests.conftest import require_program
from tests.helpers import ROOT, eventually
from tests.restored import T0, Installed, connected, serving, trade

BOOK = Row(
    "books",
    T0 + 1,
    {"venue": "v", "symbol": "BTC/USDT"},
    {"update_id": 7, "bids": [[1.5, 1.25], [2.0, 3.0]], "asks": [[1.75], [4.0]], "received_at": UtcNs(T0 + 3)},
)
FILL_OF_OURS = Row(
    "fills",
    T0 + 2,
    {"account": "paper", "venue": "v", "symbol": "BTC/USDT", "side": "buy"},
    {"fill_id": "f1", "price": Decimal("60000.0000000001"), "quantity": Decimal("0.1")},
)
DRILL_MB = int(os.environ.get("ARES_TEST_DRILL_MB", "4"))
JOURNAL_S = 40.0 if DRILL_MB > 100 else 2.0
ROW_BYTES = 85
FILL_ROWS = 2_000_000
STEP_NS = 5_000_000
FILLED_NS = T0 - 30 * 86_400 * 1_000_000_000
FILL = """
INSERT INTO trades (ts, venue, symbol, side, trade_id, seq, price, amount, received_at)
SELECT (%(begin)s + (%(first)s + x) * 5000000)::timestamp_ns, 'filled', rnd_symbol('BTC/USDT', 'ETH/USDT', 'SOL/USDT'),
  rnd_symbol('buy', 'sell'), (4000000000 + %(first)s + x)::varchar, %(first)s + x,
  round(60000 + 100 * rnd_double(), 2), round(rnd_double(), 5), (%(begin)s + (%(first)s + x) * 5000000)::timestamp_ns
FROM long_sequence(%(rows)s)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    require_program("restic", "apt-get install restic")
    with serving(tmp_path_factory.mktemp("installed")) as installed:
        yield installed


@pytest.fixture
async def there(server: Installed) -> AsyncIterator[Installed]:
    async with connected(server) as installed:
        yield installed


def decision(number: int) -> Row:
    symbols = {"account": "paper", "strategy": "s", "symbol": "BTC/USDT"}
    return Row("decisions", 1_764_000_000_000_000_000 + number, symbols, {"cycle_id": f"c{number}"})


def wish(there: Installed, target: Path) -> Wish:
    return Wish(target, there.context.clock.now_ns(), "ada")


async def restored(there: Installed, wanted: Wish) -> Restored:
    return await Restore(there.context, there.repositories, lambda _: None).run(wanted)


async def as_it_was_after_it_was_emptied(there: Installed, database: Scratch, name: str) -> bool:
    """One table from a restored database into the one that runs."""
    await there.database.execute(f"TRUNCATE TABLE {name}")
    table = await Table.of(database.database, name, [name])
    assert await copy_missing(database.database, there.database, table, there.writer) > 0
    await there.database.wait_applied([name])
    reader = await TableReader.of(database.database, name, (await tables(database.database))[name])
    (part,) = await reader.parts(database.database)
    assert part.span is not None
    return await reader.digest(database.database, part.span) == await reader.digest(there.database, part.span)


async def what_is_there_stays(there: Installed, database: Scratch) -> bool:
    """A fill that was written again since is not what it was in the backup, and no row comes twice."""
    changed = replace(FILL_OF_OURS, columns={**FILL_OF_OURS.columns, "quantity": Decimal("0.2")})
    await there.write([changed])
    fills = await Table.of(database.database, "fills", ["fills"])
    assert await copy_missing(database.database, there.database, fills, there.writer) == 0
    await there.database.wait_applied(["fills"])
    row = await there.database.fetch_one("SELECT quantity FROM fills WHERE fill_id = 'f1'")
    return row == {"quantity": Decimal("0.2")}


async def number(database: Scratch, sql: str) -> int:
    row = await database.database.fetch_one(sql)
    assert row is not None
    value = row["n"]
    assert isinstance(value, int)
    return value


async def drill(there: Installed) -> Drilled:
    return await Drill(there.context, there.control, lambda _: None).run()


def drills(there: Installed) -> list[Row]:
    return [entry.row for entry in there.control.outbox(0, 10_000) if entry.row.table == "restore_drills"]


def textfile(there: Installed) -> str:
    return (there.context.state_dir / "metrics" / "backup.prom").read_text()


async def fill(there: Installed, megabytes: int) -> int:
    """Trades as QuestDB lays them out, so much of them; returns how many rows."""
    rows = megabytes * 1_000_000 // ROW_BYTES
    for first in range(0, rows, FILL_ROWS):
        count = min(FILL_ROWS, rows - first)
        await there.database.execute(FILL, {"begin": FILLED_NS, "first": first, "rows": count})
    await there.database.wait_applied(["trades", "bars_1m"], timeout_s=1_800)
    return rows


async def keep_writing(there: Installed, rows: int) -> None:
    """Newer rows all the time, and late ones into the last hour of the partitions that the backup has."""
    first, hour = 200_000, min(rows, 3_600_000_000_000 // STEP_NS)
    while True:
        late = replace(trade(first, "late"), ts_ns=FILLED_NS + (rows - 1 - first * 7_919 % hour) * STEP_NS)
        await there.writer.write([*(trade(first + each) for each in range(50)), late])
        first += 50
        await asyncio.sleep(0.02)


def copied_every(there: Installed, journal_s: float) -> ServiceContext:
    backup = there.config.backup.model_copy(update={"journal_s": journal_s})
    return replace(there.context, config=there.config.model_copy(update={"backup": backup}))


def journals(there: Installed) -> list[tuple[int, int]]:
    """Up to when each covers the control store, and when it was made, UTC ns."""
    rows = [entry.row for entry in there.control.outbox(0, 10_000) if entry.row.table == "backups"]
    made = [row for row in rows if row.symbols == {"kind": "journal", "status": "ok"}]
    return [(ns, row.ts_ns) for row in made if isinstance(ns := row.columns["covers_to"], UtcNs)]


def longest_without_journal_s(there: Installed, begin_ns: int, end_ns: int) -> float:
    """What of the control store a disaster at the worst moment of a span had cost."""
    made = journals(there)
    ends = [made_ns for _, made_ns in made[1:]] + [end_ns]
    spans = [end - covered for (covered, _), end in zip(made, ends, strict=True) if end > begin_ns]
    return max(spans) / NANOS_PER_SECOND


async def number_of_splits(there: Installed) -> int:
    rows = await there.database.fetch("SELECT name FROM table_partitions('trades') WHERE length(name) > 10")
    return len(rows)


def variables(there: Installed) -> dict[str, str]:
    """What makes a command of its own process mean this installation."""
    return {
        **os.environ,
        "ARES_ENVIRONMENT__STATE_DIR": str(there.context.state_dir),
        "ARES_BACKUP__REPOSITORY": str(there.config.backup.repository),
        "ARES_DATABASE__HEAP_MB": str(there.config.database.heap_mb),
    }


def restore_killed_then_done(there: Installed, target: Path) -> dict[str, object]:
    """By the command line: killed as soon as the files of the market are there, then called again."""
    command = [sys.executable, "-m", "ares.cli", "backup", "restore", "--to", str(target), "--json"]
    given = {"cwd": ROOT, "env": variables(there), "stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **given) as process:
        assert process.stderr is not None
        assert any("journal of" in line for line in process.stderr)
        process.kill()
    assert not target.exists()
    done = subprocess.run(command, **given, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    (outcome,) = json.loads(done.stdout)
    return dict(outcome)


async def test_new_machine_has_the_checkpoint_and_what_the_journal_knows_since_though_the_first_try_was_killed(
    there: Installed, tmp_path: Path
) -> None:
    await there.write([trade(number) for number in range(5_000)])
    await there.write([BOOK, FILL_OF_OURS])
    await there.database.execute("CREATE TABLE notes (ts TIMESTAMP, x LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
    await there.database.execute("CREATE TABLE going (ts TIMESTAMP, x LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
    await there.database.execute("CREATE VIEW orphan AS (SELECT x FROM going)")
    await there.database.execute("DROP TABLE going")
    there.control.mirror([decision(0)])
    await there.mirror()
    await there.back_up("market")
    await there.write([trade(number) for number in range(5_000, 6_000)])
    entry = AuditEntry("trader", "ada", "order", 5)
    there.control.append("order/1", [NewEvent("sent", 1, {})], expected_seq=0, mirror=[decision(1)], audit=[entry])
    await there.mirror()
    there.control.mirror([decision(2)])
    await there.back_up("journal")
    target = tmp_path / "new"

    outcome = await asyncio.to_thread(restore_killed_then_done, there, target)

    assert {path.name for path in target.iterdir()} == {"control.db", "questdb", "restored"}
    assert int(str(outcome["rows_replayed"])) >= 4
    assert (outcome["rows_lost"], outcome["silent_views"]) == (0, "orphan"), "a broken view is told, and costs no data"
    async with scratch(there.config.database, target, restore=False) as database:
        assert await number(database, "SELECT count() n FROM trades") == 5_000
        assert await number(database, "SELECT count() n FROM decisions") == 3
        assert await number(database, "SELECT count() n FROM audit WHERE writer = 'trader'") == 1
        assert await number(database, "SELECT count() n FROM trading_state WHERE state = 'HALTED'") == 1
        assert await number(database, "SELECT count() n FROM bars_1m") > 80
        for table in ("decisions", "books", "fills"):
            assert await as_it_was_after_it_was_emptied(there, database, table)
        assert await what_is_there_stays(there, database)
        notes = await Table.of(database.database, "notes", ["notes"])
        with pytest.raises(UsageError, match="no keys"):
            await copy_missing(database.database, there.database, notes, there.writer)
    control = ControlStore.open(f"sqlite:///{target / 'control.db'}")
    assert [event.type for event in control.read("order/1")] == ["sent"]
    assert {link.writer for link in control.audit_ends()} == {"trader", "trader/paper", "restore"}
    control.close()
    with pytest.raises(UsageError, match="not empty"):
        await restored(there, wish(there, target))


async def test_moment_before_the_first_backup_is_refused_and_the_oldest_is_named(
    there: Installed, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"no market backup is that old; the oldest is of 20"):
        await restored(there, replace(wish(there, tmp_path / "new"), at_ns=1))
    assert not (tmp_path / "new").exists()


async def test_drill_while_rows_come_in_finds_every_partition_equal_and_records_what_it_measured(
    there: Installed,
) -> None:
    rows = await fill(there, DRILL_MB)
    await there.write([trade(number) for number in range(300_000, 305_000)])
    await there.write([trade(304_000, "late"), BOOK])
    clock = there.context.clock
    await there.back_up("journal")
    began_ns = clock.now_ns()
    keeping = keep_journal(copied_every(there, JOURNAL_S), there.control)
    async with beside(keep_writing(there, rows), "keep_writing"), beside(keeping, "keep_journal"):
        await asyncio.sleep(0.5)
        began_s = clock.monotonic_s()
        assert await number_of_splits(there) > 0, "partitions that late rows split are one partition each"
        made = await there.back_up("market")
        backed_up_s = clock.monotonic_s() - began_s
        backed_up_ns = clock.now_ns()
        await eventually(lambda: journals(there)[-1][0] > backed_up_ns, 60 + 2 * JOURNAL_S)
        passed = await drill(there)
    journal_s_max = longest_without_journal_s(there, began_ns, clock.now_ns())

    assert passed.comparison.differences == ()
    assert made.snapshot.bytes_total > DRILL_MB * 1_000_000
    assert passed.comparison.rows > rows
    assert passed.comparison.partitions > passed.comparison.hashed >= 3
    assert 0 < passed.rpo_journal_s <= journal_s_max < 60, "while a large backup runs, and a restore, too"
    assert 0 < passed.rpo_market_s < 900
    (row,) = drills(there)
    assert row.symbols == {"status": "ok"}
    assert row.columns["differences"] == 0
    assert not (there.context.state_dir / "backup" / "drill").exists()
    assert 'ares_backup_failed{kind="drill"} 0.0' in textfile(there)
    figures = {"rows": rows, "backup_s": round(backed_up_s, 1), "bytes": made.snapshot.bytes_total, **outcome(passed)}
    figures["journal_s_max"] = round(journal_s_max, 1)
    sys.stdout.write(f"\n{json.dumps(figures, indent=1)}\n")


async def test_drill_says_which_partition_was_changed_since_which_cannot_be_read_and_which_view_lacks_bars(
    there: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arranged(brought: Path, paths: Sequence[str], state_dir: Path) -> None:
        """The files of one partition are lost on the way, and of a view there was more when it was backed up."""
        arrange(brought, paths, state_dir)
        (lost,) = (state_dir / "questdb" / "db").glob("books~*/20*")
        shutil.rmtree(lost)
        counts = json.loads(manifest_file(state_dir).read_bytes())
        counts["bars_1d"]["2025"] += 1_000
        manifest_file(state_dir).write_text(json.dumps(counts))

    monkeypatch.setattr(restoring, "arrange", arranged)
    await there.database.execute("UPDATE trades SET price = 1.5 WHERE venue = 'filled' AND seq = 17")
    await there.database.wait_applied(["trades"])

    before = drills(there)
    async with only_one(there.context.state_dir / "backup" / "drill.lock", there.context.clock, 0):
        with pytest.raises(RepositoryLocked):
            await drill(there)
    assert drills(there) == before, "another one was at work; nothing is said of it"
    with pytest.raises(DrillFailed) as found:
        await drill(there)

    assert "trades 2025-10-25: 1 rows that the source has not" in str(found.value)
    assert re.search(r"books 2025-11-24[T\d]*: 1 of 1 rows are in files that are not there", str(found.value))
    assert re.search(r"bars_1d 2025: \d+ of \d+ rows are missing", str(found.value))
    (row,) = drills(there)[len(before) :]
    assert row.symbols == {"status": "failed"}
    assert row.columns["differences"] == 3
    assert "proved_to" not in row.columns


async def test_drill_of_a_repository_with_flipped_bytes_fails_and_the_metric_says_so(there: Installed) -> None:
    repository = Path(str(there.config.backup.repository))
    for pack in (each for each in (repository / "data").rglob("*") if each.is_file()):
        pack.chmod(0o600)
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 0xFF
        pack.write_bytes(content)

    with pytest.raises(BackupError):
        await drill(there)

    assert drills(there)[-1].columns["error"]
    assert 'ares_backup_failed{kind="drill"} 1.0' in textfile(there)
