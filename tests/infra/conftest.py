"""A control plane for all tests that take one; it starts once in a run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.controlplane import Cluster, definitions, running_cluster


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
