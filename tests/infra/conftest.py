"""What tests of several files take: a control plane, programs that judge; each is made once in a run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane import Cluster, definitions, running_cluster
from tests.helpers import ROOT, missing

CHECKS = Path(__file__).parent / "checks"


@pytest.fixture(scope="session")
def checks() -> Path:
    """Where the programs are that judge manifests and modules, in an environment of their own."""
    uv = ROOT / ".venv" / "bin" / "uv"
    done = subprocess.run(
        [uv, "sync", "--frozen", "--quiet", "--project", CHECKS], capture_output=True, text=True, check=False
    )
    if done.returncode:
        missing(f"{CHECKS} cannot be set up: {done.stderr}")
    return CHECKS / ".venv" / "bin"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With the kinds that operators bring."""
    if "ARES_TEST_CLUSTER" not in os.environ:
        pytest.skip("takes a control plane: make test-cluster")
    with running_cluster(tmp_path_factory.mktemp("cluster")) as there:
        for each in definitions():
            there.ask("apply", "--server-side", "--filename=-", given=each)
        there.ask("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield there
