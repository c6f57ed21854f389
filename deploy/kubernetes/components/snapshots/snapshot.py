"""Takes a snapshot of QuestDB's volume while QuestDB holds a checkpoint, and lets old ones go.

    python snapshot.py --claim=data-questdb-0 --class=ares-questdb --keep=28

It runs in the image of Ares, in a pod whose ServiceAccount may make and remove VolumeSnapshots of its namespace. The
checkpoint holds until the storage says that the snapshot is cut, seconds as a rule: what is uploaded after that does
not need it. Ends with 1 and a line that says why if there is no new snapshot.
"""  # noqa: INP001 - a script in a ConfigMap, not a package

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Self, TypedDict
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ares.clock import Clock, SystemClock, to_datetime
from ares.config import load_config
from ares.config.settings import DatabaseConfig
from ares.errors import AresError, BackupIncomplete, OperatingError
from backup.checkpoint import checkpoint
from backup.lock import LOCK, only_one

MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")
GROUP = "/apis/snapshot.storage.k8s.io/v1"
MADE_BY = {"app.kubernetes.io/part-of": "ares", "app.kubernetes.io/managed-by": "snapshots"}
ANSWER_S_MAX = 15.0
POLL_S = 2.0


class Snapshot(TypedDict):
    """What we read of a VolumeSnapshot. `cut_at` is empty until the storage holds its moment."""

    name: str
    made_at: str
    cut_at: str
    ready: bool
    error: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long things may take, seconds: until no other checkpoint is held, until the snapshot is cut, and usable."""

    free_s_max: float = 900.0
    cut_s_max: float = 300.0
    ready_s_max: float = 1_500.0
    poll_s: float = POLL_S


class KubernetesRefused(OperatingError):
    """The API server did not do what it was asked for."""

    code = "kubernetes_refused"


class Snapshots:
    """VolumeSnapshots of one namespace, over the API server's REST. Every call raises `KubernetesRefused`."""

    def __init__(self, address: str, token_file: Path, namespace: str, trust: ssl.SSLContext | None) -> None:
        self._token_file = token_file
        self._url = f"{address}{GROUP}/namespaces/{namespace}/volumesnapshots"
        self._trust = trust

    @classmethod
    def of_this_pod(cls) -> Self:
        """As the pod's own ServiceAccount."""
        try:
            host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
            namespace = (MOUNTED / "namespace").read_text(encoding="utf-8").strip()
            trust = ssl.create_default_context(cafile=str(MOUNTED / "ca.crt"))
        except (KeyError, OSError) as error:
            raise KubernetesRefused(f"not in a pod with an API token: {error!r} is missing") from None
        return cls(f"https://{f'[{host}]' if ':' in host else host}:{port}", MOUNTED / "token", namespace, trust)

    def create(self, name: str, claim: str, class_name: str) -> None:
        """Ask for one of this claim."""
        spec = {"volumeSnapshotClassName": class_name, "source": {"persistentVolumeClaimName": claim}}
        head = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot"}
        self._ask("POST", "", {**head, "metadata": {"name": name, "labels": MADE_BY}, "spec": spec})

    def get(self, name: str) -> Snapshot:
        return read(self._ask("GET", f"/{name}"))

    def ours(self) -> Sequence[Snapshot]:
        """Those that this program made, oldest first."""
        said = self._ask("GET", "?labelSelector=" + "%2C".join(f"{key}%3D{value}" for key, value in MADE_BY.items()))
        items = said.get("items")
        assert isinstance(items, list), "a list of the API server"
        return sorted(map(read, items), key=lambda each: (each["made_at"], each["name"]))

    def delete(self, name: str) -> None:
        self._ask("DELETE", f"/{name}")

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        try:
            token = self._token_file.read_text(encoding="utf-8").strip()
            request = Request(  # noqa: S310 - the API server's own address
                f"{self._url}{path}",
                data=None if body is None else json.dumps(body).encode(),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
                method=method,
            )
            with urlopen(request, timeout=ANSWER_S_MAX, context=self._trust) as answer:  # noqa: S310 - see above
                said: dict[str, object] = json.load(answer)
                return said
        except HTTPError as error:
            raise KubernetesRefused(f"{method} {path or 'a snapshot'}: {error.code} {_words(error)}") from None
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise KubernetesRefused(f"the API server does not answer {method}: {error}") from None


def _words(error: HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return error.reason


def read(said: Mapping[str, object]) -> Snapshot:
    """A VolumeSnapshot as the API server tells it."""
    metadata, status = _tree(said, "metadata"), _tree(said, "status")
    return {
        "name": str(metadata["name"]),
        "made_at": str(metadata.get("creationTimestamp", "")),
        "cut_at": str(status.get("creationTime", "")),
        "ready": status.get("readyToUse") is True,
        "error": str(_tree(status, "error").get("message", "")),
    }


def _tree(said: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = said.get(name)
    return found if isinstance(found, Mapping) else {}


def too_many(there: Sequence[Snapshot], keep: int) -> Sequence[str]:
    """Which go, given all oldest first: beyond the `keep` newest that can be used, and what failed before those."""
    usable = [each["name"] for each in there if each["ready"]]
    if len(usable) <= keep:
        return ()
    oldest_kept = usable[-keep]
    return [each["name"] for each in there[: [each["name"] for each in there].index(oldest_kept)]]


@dataclass(frozen=True, slots=True)
class Work:
    """One run: which database, through which API server, by which clock and bounds; `folder` holds notes and a lock."""

    config: DatabaseConfig
    snapshots: Snapshots
    clock: Clock
    folder: Path
    bounds: Bounds = Bounds()

    async def run(self, claim: str, class_name: str, keep: int) -> tuple[str, Sequence[str]]:
        """Make one and let old ones go; their names. Raises `AresError`."""
        name = f"questdb-{to_datetime(self.clock.now_ns()):%Y%m%d-%H%M%S}"
        await self._cut(name, claim, class_name)
        await self._until(name, self.bounds.ready_s_max, "can be used", lambda seen: seen["ready"])
        gone = too_many(await asyncio.to_thread(self.snapshots.ours), keep)
        for each in gone:
            await asyncio.to_thread(self.snapshots.delete, each)
        return name, gone

    async def _cut(self, name: str, claim: str, class_name: str) -> None:
        """Wait for others' checkpoints, then hold ours until the storage has the moment."""
        until_s, config = self.clock.monotonic_s() + self.bounds.free_s_max, self.config
        async with only_one(self.folder / LOCK, self.clock, 0.0) as lock:
            while True:
                asked = False
                try:
                    async with checkpoint(config, self.folder, lock, config.statement_s_max) as held:
                        asked = True
                        await asyncio.to_thread(self.snapshots.create, name, claim, class_name)
                        await self._until(name, self.bounds.cut_s_max, "is cut", lambda seen: bool(seen["cut_at"]))
                        await held.require_held()
                        return
                except BackupIncomplete:
                    if asked:
                        await asyncio.to_thread(self.snapshots.delete, name)  # of no checkpoint that held throughout
                        raise
                    if self.clock.monotonic_s() > until_s:
                        raise
                await self.clock.sleep(self.bounds.poll_s)

    async def _until(self, name: str, seconds: float, what: str, is_so: Callable[[Snapshot], bool]) -> None:
        until_s = self.clock.monotonic_s() + seconds
        while not is_so(seen := await asyncio.to_thread(self.snapshots.get, name)):
            if self.clock.monotonic_s() > until_s:
                reason = seen["error"] or "the storage says nothing"
                raise KubernetesRefused(f"snapshot {name}: {seconds:g} s went by before it {what} ({reason})")
            await self.clock.sleep(self.bounds.poll_s)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Snapshot QuestDB's volume at a checkpoint.")
    parser.add_argument("--claim", required=True, help="the PersistentVolumeClaim of QuestDB's data")
    parser.add_argument("--class", required=True, dest="class_name", help="a VolumeSnapshotClass")
    parser.add_argument("--keep", type=int, default=28, help="how many usable ones stay")
    given = parser.parse_args(arguments)
    if given.keep < 1:
        parser.error(f"--keep = {given.keep}: the new one at least must stay")
    try:
        config = load_config()
        folder = config.environment.state_dir / "backup"
        work = Work(config.database, Snapshots.of_this_pod(), SystemClock(), folder)
        name, gone = asyncio.run(work.run(given.claim, given.class_name, given.keep))
    except AresError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{name} made; gone: {', '.join(gone) or 'none'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
