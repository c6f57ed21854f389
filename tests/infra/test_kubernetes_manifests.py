"""Goal: what every overlay renders is right by the schemas of all its kinds, holds no secret, and is confined."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.helpers import ROOT
from tests.kubernetes import KUBERNETES, OVERLAYS, Object, Pod, composed, of_kind, overlay, pods, rendered, text_of

VERSIONS = ("1.32", "1.34")
COMPONENTS = sorted(path.name for path in (KUBERNETES / "components").iterdir())
SECRET_KEYS = re.compile(r"password|secret|token|_key|__key|url$", re.IGNORECASE)
PLAIN = re.compile(r"^(withheld|file:/run/secrets/[a-z-]+/[a-z_-]+|https?://[^@]+|ws://[^@]+)$")
SKIPPED = {
    "CKV_K8S_11": "a limit of processors stops a process in the middle of a trading cycle; requests keep its share",
    "CKV_K8S_15": "tags and digests are never moved, and a registry that is away must not keep a pod from starting",
    "CKV_K8S_43": "the digest is the operator's: `kustomize edit set image` writes what was built and signed",
}


@cache
def schemas() -> Mapping[tuple[str, str], Any]:
    """Our own, by version and kind, for the kinds that Kubernetes itself does not bring."""
    found = {}
    for file in (KUBERNETES / "schemas").glob("*.json"):
        said = json.loads(file.read_text(encoding="utf-8"))
        properties = said["properties"]
        found[properties["apiVersion"]["const"], properties["kind"]["const"]] = jsonschema_rs.validator_for(said)
    return found


def wrong_in(there: Sequence[Object]) -> list[str]:
    """Faults of all objects that we have schemas of."""
    known = [each for each in there if (each["apiVersion"], each["kind"]) in schemas()]
    return [f"{each['kind']} {each['metadata']['name']}: {fault}" for each in known for fault in faults(each)]


def faults(each: Object) -> list[str]:
    """What is wrong with an object of a kind that we have a schema of."""
    validator = schemas()[each["apiVersion"], each["kind"]]
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in validator.iter_errors(each)]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """What each overlay renders, as a file."""
    folder = tmp_path_factory.mktemp("rendered")
    found = {name: folder / f"{name}.yaml" for name in OVERLAYS}
    for name, file in found.items():
        file.write_text(text_of(f"overlays/{name}"), encoding="utf-8")
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_right_by_a_schema_of_its_kind(checks: Path, files: Mapping[str, Path], version: str) -> None:
    command = [checks / "kubernetes-validate", "--strict", "-k", version, *files.values()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    unknown = {(found[2], found[1]) for found in re.finditer(r"schema for kind (\w+) with api version (\S+)", said)}
    assert unknown <= set(schemas()), "kinds that nobody validates"


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_object_of_another_kind_is_right_by_a_schema_of_ours(name: str) -> None:
    assert wrong_in(overlay(name)) == []


def test_a_manifest_that_is_wrong_is_refused(checks: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    deployment = copy.deepcopy(next(iter(of_kind(overlay("prod"), "Deployment"))))
    deployment["spec"]["template"]["spec"]["container"] = []
    file.write_text(json.dumps(deployment), encoding="utf-8")
    command = [checks / "kubernetes-validate", "--strict", "-k", VERSIONS[0], file]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Server", ("spec", "accessPolicy"), "allow"),
        ("Server", ("spec", "port"), 99_999),
        ("AuthorizationPolicy", ("spec", "targetRef", "kind"), "Service"),
        ("AuthorizationPolicy", ("spec", "requiredAuthenticationRefs"), []),
        ("MeshTLSAuthentication", ("spec", "identities"), ["*"]),
        ("NetworkAuthentication", ("spec", "networks"), [{"cidr": "everywhere"}]),
        ("HTTPRoute", ("spec", "rules", 0, "matches", 0, "method"), "get"),
        ("HTTPRoute", ("spec", "rules", 0, "retry"), {"attempts": 3}),
        ("Rollout", ("spec", "strategy", "bluegreen"), {}),
        ("Rollout", ("spec", "strategy", "blueGreen", "autoPromotion"), True),
        ("AnalysisTemplate", ("spec", "metrics", 0, "successConditions"), "true"),
        ("PodMonitor", ("spec", "podMetricsEndpoints", 0, "targetPort"), 9100),
        ("ServiceMonitor", ("spec", "endpoints", 0, "relabelings", 0, "action"), "keeps"),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "expression"), "up"),
        ("ExternalSecret", ("spec", "refreshInterval"), "often"),
        ("SecretStore", ("spec", "provider", "aws", "auth"), {"secretRef": {}}),
        ("VolumeSnapshotClass", ("deletionPolicy",), "Forget"),
    ],
    ids=str,
)
def test_our_own_schemas_refuse_what_a_kind_does_not_know(
    kind: str, path: tuple[str | int, ...], value: object
) -> None:
    each = copy.deepcopy(next(iter(of_kind(overlay("prod"), kind))))
    assert faults(each) == []
    place: Any = each
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert faults(each)


def test_every_component_renders_alone_and_every_schema_is_used(tmp_path: Path) -> None:
    used = set()
    alone = {"aws": ("external-secrets",), "vault-store": ("external-secrets",), "blue-green": ("autoscaling",)}
    for name in COMPONENTS:
        if name == "aws":
            continue  # it reads what an overlay brings: staging and prod render it
        folder = tmp_path / name
        folder.mkdir()
        there = rendered(composed(folder, *alone.get(name, ()), name))
        used |= {(each["apiVersion"], each["kind"]) for each in there}
        assert wrong_in(there) == [], name
    assert set(schemas()) - used == {("snapshot.storage.k8s.io/v1", "VolumeSnapshot")}, "which a program makes"


def test_checkov_finds_nothing_but_what_has_a_reason(checks: Path, files: Mapping[str, Path]) -> None:
    folder = next(iter(files.values())).parent
    command = [checks / "checkov", "--framework", "kubernetes", "--directory", folder, "--output", "json"]
    done = subprocess.run([*command, "--skip-download"], capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert said["summary"]["passed"] > 3_000, done.stderr
    found: dict[str, set[str]] = {}
    for each in said["results"]["failed_checks"]:
        found.setdefault(each["check_id"], set()).add(f"{each['file_path']} {each['resource']}")
    assert {check: where for check, where in found.items() if check not in SKIPPED} == {}
    assert set(SKIPPED) <= set(found), "a reason for what nobody finds any more is to be taken back"
    assert {each["resource"] for each in said["results"]["skipped_checks"]} == {"StatefulSet.ares-dev.postgres"}


def confined(pod: Pod) -> Iterator[str]:
    """What keeps a pod from Pod Security's `restricted`, and from our own rules beyond it."""
    spec = pod.spec
    inside = spec.get("securityContext", {})
    if spec.get("automountServiceAccountToken") is not False:
        yield "has an API token of its own accord"
    if spec.get("enableServiceLinks") is not False:
        yield "is told of Services by variables, which may look like settings"
    if any(spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")):
        yield "is on its node"
    if inside.get("runAsNonRoot") is not True or not inside.get("runAsUser"):
        yield "may be root"
    if inside.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "may say any word to the kernel"
    for volume in spec.get("volumes", ()):
        if not volume.keys() & {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "downwardAPI"}:
            yield f"volume {volume['name']} is of a kind that is not allowed"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"volume {volume['name']} may fill the node"
    for container in pod.containers:
        yield from (f"{container['name']} {fault}" for fault in confined_container(container, pod))


def confined_container(container: Object, pod: Pod) -> Iterator[str]:
    inside = container.get("securityContext", {})
    if inside.get("allowPrivilegeEscalation") is not False or inside.get("privileged"):
        yield "may become more than it is"
    if inside.get("readOnlyRootFilesystem") is not True:
        yield "may write to its image"
    if inside.get("capabilities") != {"drop": ["ALL"]}:
        yield "has capabilities"
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
        yield "says nothing of its size"
    runs_on = container in pod.spec["containers"] and pod.kind != "CronJob"
    if runs_on and not {"livenessProbe", "readinessProbe"} <= container.keys():
        yield "is asked nothing"


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_pod_is_confined(name: str) -> None:
    assert {pod.name: found for pod in pods(overlay(name)) if (found := list(confined(pod)))} == {}
    for each in of_kind(overlay(name), "Namespace"):
        assert each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_pod_that_is_not_confined_is_found() -> None:
    pod = Pod("Deployment", "a", "b", {}, {"containers": [{"name": "c"}], "volumes": [{"name": "d", "hostPath": {}}]})
    assert len(list(confined(pod))) == 10


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_image_says_which_one_it_is(name: str) -> None:
    for pod in pods(overlay(name)):
        for container in pod.containers:
            image = container["image"]
            assert re.fullmatch(r"[a-z0-9./-]+(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})", image), image
            assert not image.endswith(":latest")
            if name.startswith("prod"):
                assert not image.endswith(":dev")


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_manifest_holds_a_secret(name: str) -> None:
    there = overlay(name)
    assert of_kind(there, "Secret") == []
    settings = [each for each in of_kind(there, "ConfigMap") if each["metadata"]["name"].startswith("ares-cluster")]
    variables = [pair for each in settings for pair in each["data"].items()]
    for pod in pods(there):
        for container in pod.containers:
            assert all("valueFrom" not in each for each in container.get("env", ())), "secrets are files"
            variables += [(each["name"], each["value"]) for each in container.get("env", ())]
    told = {key: value for key, value in variables if SECRET_KEYS.search(key) and key != "ARES_KAFKA__CA_FILE"}
    assert {key: value for key, value in told.items() if not PLAIN.fullmatch(value) and not value.startswith("/")} == {}


def test_the_secrets_of_a_laptop_are_all_that_dev_mounts_and_all_that_the_store_brings_elsewhere() -> None:
    script = (KUBERNETES / "dev-secrets.sh").read_text(encoding="utf-8").replace("\\\n", " ")
    made = {
        name: set(re.findall(r'"([a-z_-]+)=', rest))
        for name, rest in re.findall(r"^make_secret (\S+) (.*)$", script, re.MULTILINE)
    }
    assert mounted("dev") == {name: keys & made[name] for name, keys in mounted("dev").items()}
    for name in ("staging", "prod", "prod-kafka"):
        brought = {
            each["spec"]["target"]["name"]: {one["secretKey"] for one in each["spec"]["data"]}
            for each in of_kind(overlay(name), "ExternalSecret")
        }
        assert mounted(name) == {each: keys & brought[each] for each, keys in mounted(name).items()}, name


def mounted(name: str) -> dict[str, set[str]]:
    """Which keys of which Secrets the containers of an overlay name, by their variables or by what they pick."""
    keys: dict[str, set[str]] = {}
    for pod in pods(overlay(name)):
        for volume in pod.spec.get("volumes", ()):
            sources = volume.get("projected", {}).get("sources", [])
            picked = [each["secret"] for each in sources if "secret" in each]
            picked += [volume["secret"]] if "secret" in volume else []
            for each in picked:
                found = keys.setdefault(each.get("secretName") or each["name"], set())
                found |= {item["key"] for item in each.get("items", ())}
    return keys


def test_scripts_are_sound() -> None:
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "shellcheck", KUBERNETES / "dev-secrets.sh"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
