"""Goal: our account of what an autoscaler decides is what Kubernetes' own controller decides; `make test-cluster`."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from ares.security.tls.authority import issue
from tests.autoscaling import Autoscaler, Memory, decide
from tests.controlplane import Cluster
from tests.kubernetes import Object

GROUP = "custom.metrics.k8s.io"
SPACE = "scaling"
LOOKS = 4
"""After so many looks without a change there will be none."""

AT_ONCE = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 900, "periodSeconds": 15}],
}


def slowly(select: str, *policies: tuple[str, int], window_s: int = 0) -> Object:
    said = [{"type": kind, "value": value, "periodSeconds": 60} for kind, value in policies]
    return {"stabilizationWindowSeconds": window_s, "selectPolicy": select, "policies": said}


@dataclass(frozen=True)
class Case:
    """So many pods, of which the first tell a figure (100 is wanted of each), and how fast they may come and go."""

    pods: int
    figures: tuple[int, ...]
    up: Object = field(default_factory=lambda: AT_ONCE)
    down: Object = field(default_factory=lambda: AT_ONCE)
    least: int = 1
    most: int = 30


CASES = {
    "twice-as-much": Case(2, (200, 200)),
    "half-as-much": Case(4, (50,) * 4),
    "within-the-tolerance": Case(3, (109,) * 3),
    "below-and-within": Case(5, (91,) * 5),
    "just-beyond-it": Case(3, (112,) * 3),
    "not-the-same-on-all": Case(4, (400, 10, 10, 10)),
    "two-say-nothing-above": Case(4, (300, 300)),
    "two-say-nothing-and-it-is-near": Case(4, (130, 130)),
    "two-say-nothing-below": Case(4, (10, 10)),
    "one-says-nothing-and-turns-it": Case(3, (120, 120)),
    "no-more-than-the-most": Case(2, (2_000, 2_000), most=7),
    "no-fewer-than-the-least": Case(4, (1,) * 4, least=3),
    "two-more-pods": Case(4, (1_000,) * 4, up=slowly("Max", ("Pods", 2))),
    "half-as-many-more": Case(5, (1_000,) * 5, up=slowly("Max", ("Percent", 50))),
    "the-larger-step": Case(10, (1_000,) * 10, up=slowly("Max", ("Percent", 50), ("Pods", 2))),
    "the-smaller-step": Case(10, (1_000,) * 10, up=slowly("Min", ("Percent", 50), ("Pods", 2))),
    "none-may-come": Case(4, (1_000,) * 4, up=slowly("Disabled", ("Pods", 2))),
    "one-pod-goes": Case(6, (10,) * 6, down=slowly("Max", ("Pods", 1))),
    "a-tenth-rounded-up-goes": Case(12, (10,) * 12, down=slowly("Max", ("Percent", 10))),
    "the-smaller-step-down": Case(12, (10,) * 12, down=slowly("Min", ("Percent", 50), ("Pods", 1))),
    "none-may-go": Case(4, (10,) * 4, down=slowly("Disabled", ("Pods", 2))),
    "the-first-look-waits-for-its-window": Case(4, (10,) * 4, down=slowly("Max", ("Pods", 4), window_s=300)),
    "so-it-does-upwards": Case(2, (300, 300), up=slowly("Max", ("Pods", 4), window_s=300)),
}


def autoscaler(name: str, case: Case) -> Object:
    metric = {"metric": {"name": name}, "target": {"type": "AverageValue", "averageValue": "100"}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": case.least,
            "maxReplicas": case.most,
            "metrics": [{"type": "Pods", "pods": metric}],
            "behavior": {"scaleUp": case.up, "scaleDown": case.down},
        },
    }


def deployment(name: str, replicas: int) -> Object:
    labels = {"case": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
    }


class Figures:
    """The API of custom metrics: of each metric, called as its case, a figure for each pod that tells one."""

    def __init__(self) -> None:
        self.told: dict[str, Mapping[str, int]] = {}

    def answer(self, path: str) -> Any:
        if "/pods/*/" not in path:
            resource = {"name": "pods/any", "namespaced": True, "kind": "MetricValueList", "verbs": ["get"]}
            return {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": f"{GROUP}/v1beta2",
                "resources": [resource],
            }
        name = path.rpartition("/")[2].partition("?")[0]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        items = [
            {
                "describedObject": {"kind": "Pod", "namespace": SPACE, "name": pod, "apiVersion": "/v1"},
                "metric": {"name": name},
                "timestamp": now,
                "value": str(figure),
            }
            for pod, figure in self.told.get(name, {}).items()
        ]
        return {"kind": "MetricValueList", "apiVersion": f"{GROUP}/v1beta2", "metadata": {}, "items": items}


@pytest.fixture(scope="module")
def figures(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Figures]:
    """Registered with the API server, which asks us in its own name."""
    there = Figures()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            text = json.dumps(there.answer(unquote(self.path))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    _, certificate, key = issue(tmp_path_factory.mktemp("tls") / "a", ["localhost"], 1, datetime.now(UTC))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    register(cluster, server.server_port)
    yield there
    cluster.ask("delete", f"apiservice/v1beta2.{GROUP}")
    server.shutdown()
    server.server_close()


def register(cluster: Cluster, port: int) -> None:
    cluster.ask("create", "namespace", SPACE)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "figures", "namespace": SPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    }
    cluster.ask("create", "--filename=-", given=service)
    registered = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1beta2.{GROUP}"},
        "spec": {
            "group": GROUP,
            "version": "v1beta2",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "figures", "namespace": SPACE, "port": port},
        },
    }
    cluster.ask("create", "--filename=-", given=registered)
    cluster.ask("wait", "--for=condition=Available", f"apiservice/v1beta2.{GROUP}", "--timeout=60s")


def running_pods(cluster: Cluster, name: str, wanted: int) -> list[str]:
    """Names of a case's pods, once they are there; they run, as a kubelet would say."""
    found: list[str] = []

    def all_there() -> bool:
        found[:] = [
            each["metadata"]["name"]
            for each in cluster.get("pods", f"--namespace={SPACE}", f"--selector=case={name}")["items"]
        ]
        return len(found) == wanted

    cluster.until(all_there)
    now = "2026-01-01T00:00:00Z"
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": now}]
    status = json.dumps({"status": {"phase": "Running", "startTime": now, "conditions": conditions}})
    for pod in found:
        words = ("patch", "pod", pod, f"--namespace={SPACE}", "--subresource=status", "--type=merge")
        cluster.ask(*words, "--patch", status)
    return sorted(found)


def first_decision(cluster: Cluster, name: str, current: int) -> int:
    """What the controller made of it: its first change, or the same number if it looked often and changed nothing."""
    seen: list[int] = []

    def decided() -> bool:
        events = cluster.get("events", f"--namespace={SPACE}", f"--field-selector=involvedObject.name={name}")["items"]
        sizes = [each["message"].split()[2] for each in events if each["reason"] == "SuccessfulRescale"]
        if sizes:
            seen.append(int(sizes[0].removesuffix(";")))
            return True
        said = cluster.get("hpa", name, f"--namespace={SPACE}").get("status", {})
        seen.append(-1 if said.get("currentMetrics") else 0)
        return seen.count(-1) >= LOOKS and len(seen) >= 3 * LOOKS

    cluster.until(decided, 90.0)
    return seen[-1] if seen[-1] > 0 else current


@pytest.mark.parametrize("name", CASES)
def test_kubernetes_own_controller_decides_as_we_say(cluster: Cluster, figures: Figures, name: str) -> None:
    case = CASES[name]
    cluster.ask("create", "--filename=-", given=deployment(name, case.pods))
    names = running_pods(cluster, name, case.pods)
    figures.told[name] = dict(zip(names, case.figures, strict=False))
    manifest = autoscaler(name, case)
    expected = decide(Autoscaler.of(manifest), Memory(), 0.0, case.pods, {name: [float(each) for each in case.figures]})
    cluster.ask("create", "--filename=-", given=manifest)
    assert first_decision(cluster, name, case.pods) == expected
    cluster.ask("delete", "hpa,deployment", name, f"--namespace={SPACE}")


def test_cases_come_to_every_kind_of_answer() -> None:
    told = []
    for name, case in CASES.items():
        scaler = Autoscaler.of(autoscaler(name, case))
        told.append(
            decide(scaler, Memory(), 0.0, case.pods, {name: [float(each) for each in case.figures]}) - case.pods
        )
    assert sum(1 for each in told if each > 0) >= 8
    assert sum(1 for each in told if each < 0) >= 6
    assert sum(1 for each in told if each == 0) >= 7
