"""Goal: a real control plane takes every overlay, confines its pods, and hands the trader over; `make test-cluster`."""

from __future__ import annotations

import json
import ssl
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import Cluster
from tests.infra.test_kubernetes_questdb import KubernetesRefused, Snapshots
from tests.kubernetes import OVERLAYS, Object, named, of_kind, overlay, pods, text_of

APPLY = ("apply", "--server-side", "--validate=strict", "--filename=-")
PLAIN_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "plain"},
    "spec": {"containers": [{"name": "plain", "image": "plain:1"}]},
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_api_server_takes_every_object_of_an_overlay(cluster: Cluster, name: str) -> None:
    (namespace,) = of_kind(overlay(name), "Namespace")
    cluster.ask(*APPLY, "--force-conflicts", given=namespace)
    said = cluster.ask(*APPLY, "--force-conflicts", "--dry-run=server", given=text_of(f"overlays/{name}"))
    assert "Warning" not in said, "of Pod Security, of fields that nobody knows, of versions that go"
    assert said.count("(server dry run)") == len(overlay(name))


@pytest.fixture(scope="module")
def production(cluster: Cluster) -> Cluster:
    """All of the overlay prod-kafka is there, and its controllers have made their pods."""
    cluster.ask(*APPLY, "--force-conflicts", given=text_of("overlays/prod-kafka"))
    return cluster


def pods_there(cluster: Cluster, name: str) -> list[Any]:
    found = cluster.get("pods", "--namespace=ares", f"--selector=app.kubernetes.io/name={name}")["items"]
    return sorted(found, key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]))


def test_controllers_make_every_pod_under_pod_security_restricted(production: Cluster) -> None:
    there = overlay("prod-kafka")
    for pod in pods(there):
        if pod.kind == "CronJob":
            production.ask("create", "job", f"--from=cronjob/{pod.name}", f"{pod.name}-now", "--namespace=ares")
        wanted = named(there, pod.kind, pod.name)["spec"].get("replicas", 1)
        production.until(lambda pod=pod, wanted=wanted: len(pods_there(production, pod.name)) >= wanted)
    events = production.get("events", "--namespace=ares")["items"]
    assert [each["message"] for each in events if each["reason"] in ("FailedCreate", "FailedValidation")] == []


def test_a_pod_that_is_not_confined_is_refused(production: Cluster) -> None:
    said = production.ask("create", "--namespace=ares", "--filename=-", given=PLAIN_POD, fails=True)
    assert 'violates PodSecurity "restricted' in said


def test_accounts_may_do_what_they_must_and_nothing_else(production: Cluster) -> None:
    def may(account: str, verb: str, what: str) -> bool:
        words = ["auth", "can-i", verb, what, f"--as=system:serviceaccount:ares:{account}", "--namespace=ares"]
        done = subprocess.run(
            [production.kubectl, f"--kubeconfig={production.kubeconfig}", *words], capture_output=True, check=False
        )
        return done.returncode == 0

    assert may("snapshots", "create", "volumesnapshots.snapshot.storage.k8s.io")
    assert may("snapshots", "delete", "volumesnapshots.snapshot.storage.k8s.io")
    for account in {pod.spec["serviceAccountName"] for pod in pods(overlay("prod-kafka"))}:
        for verb, what in (("get", "secrets"), ("list", "pods"), ("create", "pods"), ("patch", "deployments.apps")):
            assert not may(account, verb, what), f"{account} may {verb} {what}"


def test_snapshots_are_made_and_removed_by_their_account_alone(production: Cluster, tmp_path: Path) -> None:
    trust = ssl.create_default_context(cafile=str(production.authority))
    trust.check_hostname = False  # it calls itself after this machine

    def as_account(name: str) -> Any:
        token = tmp_path / name
        token.write_text(production.ask("create", "token", name, "--namespace=ares"), encoding="utf-8")
        return Snapshots(production.address, token, "ares", trust)

    ours = as_account("snapshots")
    ours.create("questdb-one", "data-questdb-0", "ares-questdb")
    assert [each["name"] for each in ours.ours()] == ["questdb-one"]
    seen = ours.get("questdb-one")
    assert (seen["ready"], seen["cut_at"]) == (False, ""), "no storage does anything here"
    assert datetime.fromisoformat(seen["made_at"])
    with pytest.raises(KubernetesRefused, match="409"):
        ours.create("questdb-one", "data-questdb-0", "ares-questdb")
    with pytest.raises(KubernetesRefused, match=r"403 .*trader.* cannot list"):
        as_account("trader").ours()
    ours.delete("questdb-one")
    assert ours.ours() == []


def is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def ready_is_who_leads(cluster: Cluster) -> None:
    """What a kubelet would do for pods of which one holds the lease: it is ready, and stays so; the others wait.

    Who holds it already comes first, else the oldest: two may be of the same second.
    """
    waiting = pods_there(cluster, "trader")
    leader = next((pod for pod in waiting if is_ready(pod)), waiting[0] if waiting else None)
    for pod in waiting:
        state = "True" if pod is leader else "False"
        now = "2026-01-01T00:00:00Z"
        status = {
            "phase": "Running",
            "conditions": [
                {"type": kind, "status": state, "lastTransitionTime": now} for kind in ("Ready", "ContainersReady")
            ],
        }
        name = pod["metadata"]["name"]
        words = ("patch", "pod", name, "--namespace=ares", "--subresource=status", "--type=merge", "--patch")
        done = subprocess.run(
            [cluster.kubectl, f"--kubeconfig={cluster.kubeconfig}", *words, json.dumps({"status": status})],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or "not found" in done.stderr, done.stderr


def rolled_out(cluster: Cluster, image: str) -> bool:
    """Whether the trader is, with everybody ready who shall be, of this image."""
    ready_is_who_leads(cluster)
    deployment = cluster.get("deployment/trader", "--namespace=ares")
    status = deployment["status"]
    images = {pod["spec"]["containers"][0]["image"] for pod in pods_there(cluster, "trader")}
    return (
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("availableReplicas") == status.get("updatedReplicas") == status.get("replicas") == 1
        and images == {image}
    )


def test_the_trader_is_handed_over_though_its_next_pod_is_ready_only_when_the_old_one_is_gone(
    production: Cluster,
) -> None:
    deployed = production.get("deployment/trader", "--namespace=ares")
    image = deployed["spec"]["template"]["spec"]["containers"][0]["image"]
    production.until(lambda: rolled_out(production, image))
    production.ask("set", "image", "deployment/trader", "ares=ares:0.2.0", "--namespace=ares")
    production.until(lambda: rolled_out(production, "ares:0.2.0"))


def test_with_the_usual_strategy_it_would_wait_for_ever(production: Cluster) -> None:
    careful = '{"spec": {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}}'
    production.ask("patch", "deployment/trader", "--namespace=ares", "--type=merge", "--patch", careful)
    production.ask("set", "image", "deployment/trader", "ares=ares:0.3.0", "--namespace=ares")
    production.until(lambda: len(pods_there(production, "trader")) == 2)
    for _ in range(20):
        assert not rolled_out(production, "ares:0.3.0")
    assert len(pods_there(production, "trader")) == 2, "one leads, and the other waits for it to go"
