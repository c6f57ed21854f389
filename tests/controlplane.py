"""A real Kubernetes control plane of a test's own: etcd, API server and controllers, without a node."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backup.restore.scratch import free_ports
from tests.conftest import require_program
from tests.helpers import ROOT
from tests.kubernetes import INSTALL, KUBERNETES, Object

BUILD = ROOT / "infra" / "kubernetes" / "build.sh"
READY_S_MAX = 180.0
STOP_S_MAX = 20.0


@dataclass(frozen=True)
class Cluster:
    """Its API server, and how it is asked."""

    address: str
    kubeconfig: Path
    authority: Path
    kubectl: str

    def ask(self, *words: str, given: object = None, fails: bool = False) -> str:
        """What kubectl says; it must end well, or must not."""
        done = subprocess.run(
            [self.kubectl, f"--kubeconfig={self.kubeconfig}", *words],
            input=None if given is None else given if isinstance(given, str) else json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, said
        return said

    def get(self, *words: str) -> Any:
        return json.loads(self.ask("get", *words, "--output=json"))

    def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait for what controllers do."""
        until_s = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until_s, "it never came to that"
            time.sleep(0.2)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """All of it runs until the end of the block."""
    kubectl = require_program("kubectl", INSTALL)
    program = subprocess.run([BUILD], capture_output=True, text=True, check=True).stdout.strip()
    etcd, peer, api, manager = free_ports(4)
    signing, token, tokens = folder / "sa.key", secrets.token_hex(16), folder / "tokens.csv"
    subprocess.run(["openssl", "genrsa", "-out", signing, "2048"], capture_output=True, check=True)
    tokens.write_text(f"{token},admin,admin,system:masters\n", encoding="utf-8")
    kubeconfig, certificates = folder / "kubeconfig", folder / "certificates"
    kubeconfig.write_text(json.dumps(_kubeconfig(f"https://127.0.0.1:{api}", token)), encoding="utf-8")
    cluster = Cluster(f"https://127.0.0.1:{api}", kubeconfig, certificates / "apiserver.crt", kubectl)
    store, neighbour = f"http://127.0.0.1:{etcd}", f"http://127.0.0.1:{peer}"
    with ExitStack() as stack:
        for words in (
            ["etcd", f"--data-dir={folder / 'etcd'}", "--unsafe-no-fsync", f"--listen-client-urls={store}",
             f"--advertise-client-urls={store}", f"--listen-peer-urls={neighbour}",
             f"--initial-advertise-peer-urls={neighbour}", f"--initial-cluster=default={neighbour}"],
            ["apiserver", f"--etcd-servers={store}", "--bind-address=127.0.0.1", f"--secure-port={api}",
             f"--cert-dir={certificates}", "--service-cluster-ip-range=10.96.0.0/16", f"--token-auth-file={tokens}",
             "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={signing}",
             f"--service-account-signing-key-file={signing}", "--authorization-mode=Node,RBAC",
             "--endpoint-reconciler-type=none"],
        ):  # fmt: skip
            stack.enter_context(_running(program, words, folder))
        cluster.until(lambda: _ready(cluster), READY_S_MAX)
        words = [
            "controller-manager", f"--kubeconfig={kubeconfig}", f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}", f"--service-account-private-key-file={signing}",
            f"--root-ca-file={cluster.authority}", "--leader-elect=false", "--bind-address=127.0.0.1",
            "--horizontal-pod-autoscaler-sync-period=1s", f"--secure-port={manager}",
            f"--cert-dir={folder / 'manager'}",
        ]  # fmt: skip
        stack.enter_context(_running(program, words, folder))
        yield cluster


def _ready(cluster: Cluster) -> bool:
    command = [cluster.kubectl, f"--kubeconfig={cluster.kubeconfig}", "get", "--raw=/readyz"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "ok"


@contextmanager
def _running(program: str, words: Sequence[str], folder: Path) -> Iterator[None]:
    with (folder / f"{words[0]}.log").open("wb") as log:
        child = subprocess.Popen([program, *words], stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)})
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _kubeconfig(server: str, token: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }


def definitions() -> Iterator[Object]:
    """CustomResourceDefinitions of the kinds that operators bring: their names and places, from our own schemas.

    What their fields may be is judged by these schemas themselves (test_kubernetes_manifests.py).
    """
    for file in sorted((KUBERNETES / "schemas").glob("*.json")):
        said = json.loads(file.read_text(encoding="utf-8"))
        group, _, version = said["properties"]["apiVersion"]["const"].partition("/")
        kind, plural = said["title"], said["x-plural"]
        fields = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{plural}.{group}",
                "annotations": {"api-approved.kubernetes.io": "unapproved, of a test"},
            },
            "spec": {
                "group": group,
                "scope": "Namespaced" if said["x-scope"] == "Namespaced" else "Cluster",
                "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
                "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": fields}}],
            },
        }
