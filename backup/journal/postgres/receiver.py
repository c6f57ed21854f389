"""pg_receivewal at work: WAL comes in as it is written, each piece on our disk before it is acknowledged."""

from __future__ import annotations

from pathlib import Path

from ares.clock import Clock
from ares.control.postgres import Address
from backup.journal.postgres import wal
from backup.journal.postgres.programs import Programs, complaints, meaning, started
from backup.journal.postgres.stretch import Folders
from backup.lock import only_one

LOCK_WAIT_S = 2.0


class Receiver:
    """Receives by a slot into a folder; one at a time, whatever process it is of."""

    def __init__(self, address: Address, slot: str, folders: Folders, clock: Clock) -> None:
        self._address = address
        self._slot = slot
        self._folders = folders
        self._clock = clock

    async def receive(self, programs: Programs, segment_bytes: int, until: int | None = None) -> None:
        """Until it is ended, or all before the position `until` is there.

        Raises `RepositoryLocked` if another one is at it, and what its last words mean.
        """
        async with only_one(self._folders.lock, self._clock, LOCK_WAIT_S) as lock:
            self._folders.received.mkdir(mode=0o700, parents=True, exist_ok=True)
            wal.mend(self._folders.received, segment_bytes)
            command = [programs["pg_receivewal"], "-D", str(self._folders.received), "--slot", self._slot]
            conninfo = self._address.conninfo(application_name=self._slot)  # so that it can be a synchronous standby
            command += ["--synchronous", "--no-loop", "--no-password", "-d", conninfo]
            if until is not None:
                command += ["--endpos", _written(until - 1)]  # it ends once it has more than that
            async with started(command, self._address.password, (lock,)) as process:
                said = await complaints(process)
                if process.returncode or until is None:
                    raise meaning(Path(command[0]).name, said)


def _written(position: int) -> str:
    """A position as Postgres writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
