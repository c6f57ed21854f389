"""Folds and fits by the processes of a Dask cluster on this machine: the one door to `distributed`.

The cluster lives as long as one training. It listens on loopback alone, and by TLS with a key that nobody else has: who
may send work to it may run anything. What it answers is what this process would have answered, in the same order.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, cast

from analytics.models.executor import HERE, Executor
from ares.config.training import TrainingConfig
from ares.errors import OperatingError, UsageError
from ares.telemetry import get_logger

LOOPBACK = "127.0.0.1"
RETRIES = 3
"""So often a piece is done again whose process died; a piece that kills a process each time is not done."""
START_S_MAX = 120.0
SETTINGS = {
    "distributed.comm.timeouts.connect": START_S_MAX,
    "distributed.admin.large-graph-warning-threshold": "1 GB",
}
"""Of Dask. Rows travel with their piece, however large: what was laid down with a process is lost with it."""

T = TypeVar("T")
R = TypeVar("R")

log = get_logger(__name__)


class Client(Protocol):
    """What we use of a client of Dask's."""

    def map(
        self, work: Callable[[T], R], pieces: Sequence[object], *, pure: bool, retries: int
    ) -> Sequence[object]: ...
    def gather(self, futures: Sequence[object]) -> object: ...
    def wait_for_workers(self, n_workers: int, timeout: float) -> None: ...


@dataclass(frozen=True, slots=True)
class DaskExecutor:
    """Pieces done by the processes of a cluster. Raises `OperatingError` where these die again and again."""

    client: Client
    workers: int

    def map(self, work: Callable[[T], R], pieces: Sequence[T]) -> list[R]:
        """Send every piece to a process; what a piece raises is raised here."""
        from distributed.client import FutureCancelledError  # noqa: PLC0415 - there is a client, so it is loaded
        from distributed.scheduler import KilledWorker  # noqa: PLC0415 - as above

        try:
            done = self.client.map(work, list(pieces), pure=False, retries=RETRIES)
            return cast("list[R]", self.client.gather(done))
        except (KilledWorker, FutureCancelledError) as error:
            raise OperatingError(
                f"training.engine = 'dask': a process that fitted died {RETRIES + 1} times ({error}). Is there memory "
                "for training.dask_workers of them?"
            ) from None


@contextlib.contextmanager
def engine(config: TrainingConfig, folder: Path) -> Iterator[Executor]:
    """Whatever `training.engine` asks for; a cluster keeps its files in `folder`, and is gone afterwards.

    Raises `UsageError` where Dask is not installed, `OperatingError` where its processes do not start.
    """
    if config.engine == "local":
        yield HERE
        return
    with contextlib.ExitStack() as closing:
        try:
            client = _started(config.dask_workers, folder, closing)
        except ModuleNotFoundError as error:
            raise UsageError(
                f"training.engine = 'dask': {error.name} is not installed. pip install 'ares-trading[dask]', or set it "
                "to 'local'"
            ) from None
        except (OSError, TimeoutError, RuntimeError) as error:
            raise OperatingError(f"training.engine = 'dask': its processes do not start: {error}") from None
        log.info("training_cluster_ready", workers=config.dask_workers)
        yield DaskExecutor(client, config.dask_workers)


def _started(workers: int, folder: Path, closing: contextlib.ExitStack) -> Client:
    """A client of a new cluster whose processes are there."""
    os.environ.setdefault("DASK_CONFIG", str(folder / "config"))  # else it writes below the user's home, and obeys it
    import dask  # noqa: PLC0415 - takes seconds, and is not there where nobody asks for it
    from distributed import Client as connected  # noqa: N813, PLC0415 - as above; a Protocol here is called so too
    from distributed import LocalCluster  # noqa: PLC0415 - as above

    closing.enter_context(dask.config.set(SETTINGS))
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host=LOOPBACK,
        dashboard_address=f"{LOOPBACK}:0",
        security=True,
        memory_limit=0,
        local_directory=str(folder),
        silence_logs=logging.CRITICAL,
    )
    client: Client = closing.enter_context(connected(closing.enter_context(cluster), timeout=START_S_MAX))
    client.wait_for_workers(workers, timeout=START_S_MAX)
    return client
