"""Manifests as kustomize renders them, and what tests of several files read out of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import require_program
from tests.helpers import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = tuple(sorted(path.name for path in (KUBERNETES / "overlays").iterdir()))
INSTALL = "see kubernetes.io/docs/tasks/tools, version 1.30 or newer"
TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
Object = dict[str, Any]
SAID_BY_TERRAFORM: Object = {
    "cluster": "ares-x",
    "region": "eu-west-1",
    "namespace": "ares",
    "role_arns": {"backup": "arn:b", "lake": "arn:l", "external-secrets": "arn:s", "autoscaler": "arn:a"},
    "volumes": {
        "primary": {"id": "vol-1", "zone": "eu-west-1b", "size_gib": 1000},
        "replica": {"id": "vol-2", "zone": "eu-west-1c", "size_gib": 1000},
    },
    "volume_key_arn": "arn:k",
    "buckets": {"backup": "x-backup", "cold": "x-cold", "trail": "x-trail"},
    "secret_names": {"control": "ares-x/control", "venues/binance": "ares-x/venues/binance"},
    "file_system_id": "fs-2",
    "api_host": "api.x.example.com",
    "ranges": {
        "public": "10.9.0.0/22",
        "endpoints": "10.9.8.0/22",
        "api_server": "10.9.12.0/22",
        "control_store": "10.9.16.0/22",
        "nodes": "10.9.64.0/18",
    },
}
"""The output `kustomize` of an environment, as terraform/modules/platform/outputs.tf has it."""


@dataclass(frozen=True)
class Pod:
    """The pod of a workload. `labels` and `spec` are those of its template."""

    kind: str
    name: str
    namespace: str
    labels: Mapping[str, str]
    spec: Object

    @property
    def containers(self) -> Sequence[Object]:
        """All of them, those that run first included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    def container(self, name: str) -> Object:
        return next(each for each in self.containers if each["name"] == name)


@cache
def rendered(folder: str) -> Sequence[Object]:
    """What `kubectl apply -k` of a folder below deploy/kubernetes, or of any other, would send."""
    return objects(text_of(folder))


@cache
def text_of(folder: str) -> str:
    kubectl = require_program("kubectl", INSTALL)
    command = [kubectl, "kustomize", str(KUBERNETES / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(text: str) -> Sequence[Object]:
    return [each for each in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if each]


def cloud(name: str) -> dict[str, str]:
    """What an overlay knows of its account."""
    file = KUBERNETES / "overlays" / name.removesuffix("-kafka") / "cloud" / "cloud.env"
    return dict(line.partition("=")[::2] for line in file.read_text(encoding="utf-8").splitlines())


def overlay(name: str) -> Sequence[Object]:
    return rendered(f"overlays/{name}")


def of_kind(there: Sequence[Object], *kinds: str) -> list[Object]:
    return [each for each in there if each["kind"] in kinds]


def named(there: Sequence[Object], kind: str, name: str) -> Object:
    """One object; a ConfigMap also by the name it has before its hash."""
    for each in of_kind(there, kind):
        said = each["metadata"]["name"]
        if said == name or (kind == "ConfigMap" and said.rpartition("-")[0] == name):
            return each
    raise AssertionError(f"no {kind} {name}")


def pods(there: Sequence[Object]) -> list[Pod]:
    found = []
    for each in of_kind(there, *TEMPLATES):
        template: Any = each
        for step in TEMPLATES[each["kind"]]:
            template = template[step]
        metadata = each["metadata"]
        namespace = metadata.get("namespace", "default")
        found.append(Pod(each["kind"], metadata["name"], namespace, template["metadata"]["labels"], template["spec"]))
    return found


def environment(there: Sequence[Object], container: Object) -> dict[str, str]:
    """A container's variables, as far as they are no secret's."""
    said: dict[str, str] = {}
    for each in container.get("envFrom", ()):
        said |= named(there, "ConfigMap", each["configMapRef"]["name"])["data"]
    return said | {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}


def commands(there: Sequence[Object]) -> Iterator[tuple[Pod, Object, Sequence[str]]]:
    """Every `ares …` that some container runs."""
    for pod in pods(there):
        for container in pod.containers:
            if container.get("command") == ["ares"]:
                yield pod, container, container["args"]


def composed(folder: Path, *components: str) -> str:
    """A kustomization of base and components, which lies in `folder`; its path."""
    up = "../" * (len(folder.resolve().parts) - 1)
    base = up.rstrip("/") + str(KUBERNETES / "base")
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "namespace: ares", "resources:"]
    lines += [f"  - {base}", "components:"]
    lines += [f"  - {up.rstrip('/')}{KUBERNETES / 'components' / each}" for each in components]
    (folder / "kustomization.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(folder)
