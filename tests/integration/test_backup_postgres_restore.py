"""Goal: market data and a Postgres control store come back as one state, of any moment, and a drill proves it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.control import AuditEntry, ControlStore, NewEvent
from ares.control.second_copy import LINE, LINE_SINCE
from ares.errors import UsageError
from ares.model.row import Row
from ares.store import Database
from backup.drill.run import Drill
from backup.journal.postgres.journal import PostgresJournal
from backup.journal.postgres.programs import Programs
from backup.journal.postgres.stretch import StretchFacts
from backup.restore.cluster import Cluster
from backup.restore.cluster import serving as cluster_serving
from backup.restore.run import POSTGRES, Restore, Wish
from backup.restore.smoke import ask_everything
from tests.conftest import free_port, require_program
from tests.helpers import missing
from tests.postgres import INSTALL, RunningPostgres, postgres_bin, running_postgres
from tests.restored import Installed, connected, serving, trade

DECISIONS = "SELECT cycle_id FROM decisions ORDER BY cycle_id"
HALTED = "SELECT count() FROM trading_state WHERE state = 'HALTED'"


@pytest.fixture
def postgres() -> Iterator[RunningPostgres]:
    """As it comes from the package, but for what a slot may keep."""
    require_program("restic", "apt-get install restic")
    programs = postgres_bin()
    if programs is None:
        missing(f"PostgreSQL is not installed: {INSTALL}")
    with running_postgres(free_port(), programs) as server:
        server.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'", "SELECT pg_reload_conf()")
        yield server


def decision(number: int) -> Row:
    symbols = {"account": "paper", "strategy": "s", "symbol": "BTC/USDT"}
    return Row("decisions", 1_764_000_000_000_000_000 + number, symbols, {"cycle_id": f"c{number}"})


def send(there: Installed, number: int) -> None:
    entry = AuditEntry("trader", "ada", "order", number)
    there.control.append(
        f"order/{number}", [NewEvent("sent", 1, {})], expected_seq=0, mirror=[decision(number)], audit=[entry]
    )


def cluster_of(there: Installed, target: Path) -> Cluster:
    facts = StretchFacts.read(PostgresJournal(there.context).folders.stretch)
    assert facts is not None
    return Cluster(target / POSTGRES, facts, Programs.to_serve(None, facts.major))


async def test_state_of_a_moment_comes_back_as_one_and_the_newest_is_proved_by_a_drill(
    postgres: RunningPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[object]] = []

    async def look(database: Database) -> tuple[int, tuple[str, ...]]:
        """As the restore does at its end, and what is there then."""
        answers = [await database.fetch(query) for query in (DECISIONS, HALTED)]
        seen.extend([next(iter(row.values())) for row in answer] for answer in answers)
        return await ask_everything(database)

    monkeypatch.setattr("backup.restore.run.ask_everything", look)
    with serving(tmp_path, postgres.database()) as installed:
        async with connected(installed) as there:
            await there.write([trade(number) for number in range(1_000)])
            there.control.mirror([decision(0)])
            await there.mirror()
            await there.back_up("journal")
            await there.back_up("market")
            send(there, 1)
            await there.mirror()
            await asyncio.sleep(0.2)
            at_ns = there.context.clock.now_ns()
            await asyncio.sleep(0.2)
            send(there, 2)
            made = await there.back_up("journal")
            restore, target = Restore(there.context, there.repositories, lambda _: None), tmp_path / "new"

            outcome = await restore.run(Wish(target, at_ns, "ada"))

            assert outcome.postgres
            assert outcome.journal_to_ns == at_ns
            assert {path.name for path in target.iterdir()} == {"postgres", "questdb", "restored"}
            assert seen == [["c0", "c1"], [1]]
            async with cluster_serving(cluster_of(there, target), None, 60, SystemClock()) as url:
                control = ControlStore.open(url)
                assert control.streams("order/") == ["order/1"]
                assert control.cursor(LINE) > at_ns
                assert outcome.market.ts_ns == control.cursor(LINE_SINCE)
                assert {link.writer for link in control.audit_ends()} == {"trader", "trader/paper", "restore"}
                control.close()

            assert made.covers_to_ns is not None
            waited_s = (there.context.clock.now_ns() - made.covers_to_ns) / NANOS_PER_SECOND
            drilled = await Drill(there.context, there.control, lambda _: None).run()

            assert drilled.comparison.differences == ()
            assert drilled.rpo_journal_s is not None
            assert waited_s <= drilled.rpo_journal_s < drilled.rpo_market_s
            rows = [each.row for each in there.control.outbox(0, 10_000) if each.row.table == "backups"]
            assert {row.symbols["kind"] for row in rows if row.symbols["status"] == "ok"} >= {"journal"}
            with pytest.raises(UsageError, match="a Postgres has none"):
                await restore.run(Wish(tmp_path / "other", there.context.clock.now_ns(), "ada", tmp_path))
            await PostgresJournal(there.context).drop()
