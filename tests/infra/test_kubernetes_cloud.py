"""Goal: what Terraform says of an account reaches every object that needs it, and nothing is left to be filled in."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes import KUBERNETES, Object, named, of_kind, overlay

CLOUD = ("staging", "prod", "prod-kafka")
ROLE = "eks.amazonaws.com/role-arn"
SCRIPT = runpy.run_path(str(KUBERNETES / "cloud_env.py"))
OUTPUT = {
    "cluster": "ares-x",
    "region": "eu-west-1",
    "role_arns": {"backup": "arn:b", "lake": "arn:l", "external-secrets": "arn:s", "autoscaler": "arn:a"},
    "volumes": {
        "primary": {"id": "vol-1", "zone": "eu-west-1b", "size_gib": 1000},
        "replica": {"id": "vol-2", "zone": "eu-west-1c", "size_gib": 1000},
    },
    "volume_key_arn": "arn:k",
    "buckets": {"backup": "x-backup", "cold": "x-cold", "trail": "x-trail"},
    "secret_names": {"control": "ares-x/control", "venues/binance": "ares-x/venues/binance"},
}
"""As terraform/modules/platform/outputs.tf has it."""


def cloud(name: str) -> dict[str, str]:
    file = KUBERNETES / "overlays" / name.removesuffix("-kafka") / "cloud" / "cloud.env"
    return dict(line.partition("=")[::2] for line in file.read_text(encoding="utf-8").splitlines())


def words(said: Any) -> set[str]:
    """Every text in an object."""
    if isinstance(said, dict):
        return {word for value in said.values() for word in words(value)}
    if isinstance(said, list):
        return {word for value in said for word in words(value)}
    return {str(said)}


@pytest.mark.parametrize("name", CLOUD)
def test_nothing_is_left_to_be_filled_in(name: str) -> None:
    there, said = overlay(name), cloud(name)
    assert [
        each["metadata"]["name"] for each in of_kind(there, "ConfigMap") if each["metadata"]["name"] == "cloud"
    ] == []
    found = {word for each in there for word in words(each)}
    assert not any(word == "cloud" or word.startswith("cloud/") for word in found)
    assert not any("192.0.2." in word for word in found), "an address that stands for one"
    missing = {key for key, value in said.items() if value not in found and key != "installation"}
    assert missing == set(), "read from cloud.env and used by nobody"


@pytest.mark.parametrize("name", CLOUD)
def test_roles_are_of_the_accounts_that_use_them(name: str) -> None:
    there, said = overlay(name), cloud(name)
    roles = {
        each["metadata"]["name"]: each["metadata"]["annotations"][ROLE]
        for each in of_kind(there, "ServiceAccount")
        if ROLE in each["metadata"].get("annotations", {})
    }
    lake = dict.fromkeys(("analytics", "errands", "retention"), said["lake_role_arn"])
    assert roles == {"questdb": said["backup_role_arn"], "secrets": said["secrets_role_arn"], **lake}


@pytest.mark.parametrize("name", CLOUD)
def test_questdbs_claim_gets_terraforms_volume_and_no_other(name: str) -> None:
    there = overlay(name)
    (namespace,) = of_kind(there, "Namespace")
    volume = named(there, "PersistentVolume", "ares-questdb")["spec"]
    stateful = named(there, "StatefulSet", "questdb")
    claim = next(each for each in stateful["spec"]["volumeClaimTemplates"] if each["metadata"]["name"] == "data")
    wanted = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace["metadata"]["name"]}
    assert volume["claimRef"] == {**wanted, "name": f"data-{stateful['metadata']['name']}-0"}
    assert volume["capacity"] == claim["spec"]["resources"]["requests"]
    assert volume["storageClassName"] == claim["spec"]["storageClassName"]
    assert volume["accessModes"] == claim["spec"]["accessModes"]
    assert volume["persistentVolumeReclaimPolicy"] == "Retain"
    classes = {each["metadata"]["name"]: each for each in of_kind(there, "StorageClass")}
    assert classes["ares-data"]["parameters"]["encrypted"] == "true"
    assert claimed(there) <= set(classes)


def claimed(there: list[Object]) -> set[str]:
    """Storage classes that somebody asks for."""
    templates = [one for each in of_kind(there, "StatefulSet") for one in each["spec"]["volumeClaimTemplates"]]
    return {each["spec"]["storageClassName"] for each in [*templates, *of_kind(there, "PersistentVolumeClaim")]}


def test_every_overlay_brings_the_storage_classes_that_it_asks_for() -> None:
    for name in ("dev", *CLOUD):
        assert claimed(overlay(name)) <= {each["metadata"]["name"] for each in of_kind(overlay(name), "StorageClass")}


def test_the_output_of_terraform_takes_the_place_of_its_lines_and_of_no_others() -> None:
    before = "region=old\nfile_system_id=fs-1\ncontrol_store_cidr=10.0.0.0/24\n"
    text = SCRIPT["merged"](before, SCRIPT["lines"](OUTPUT))
    said = dict(line.partition("=")[::2] for line in text.splitlines())
    assert said["file_system_id"] == "fs-1"
    assert said["control_store_cidr"] == "10.0.0.0/24"
    assert (said["installation"], said["region"], said["questdb_volume_id"]) == ("ares-x", "eu-west-1", "vol-1")
    assert said["questdb_volume_size"] == "1000Gi"
    assert said["backup_repository"] == "s3:https://s3.eu-west-1.amazonaws.com/x-backup/ares"
    assert set(said) == {"control_store_cidr", "file_system_id", *SCRIPT["lines"](OUTPUT)}
    for name in ("staging", "prod"):
        assert set(SCRIPT["lines"](OUTPUT)) <= set(cloud(name)), "a line that no overlay has"


def test_what_is_no_output_of_terraform_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any, tmp_path: Path
) -> None:
    assert SCRIPT["main"](["nowhere"]) == 2
    assert "usage: cloud_env.py prod|staging" in capsys.readouterr().err
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({**OUTPUT, "volumes": {}}), encoding="utf-8")
    before = (KUBERNETES / "overlays" / "prod" / "cloud" / "cloud.env").read_bytes()
    with wrong.open(encoding="utf-8") as given:
        monkeypatch.setattr("sys.stdin", given)
        assert SCRIPT["main"](["prod"]) == 1
    assert "KeyError('primary')" in capsys.readouterr().err
    assert (KUBERNETES / "overlays" / "prod" / "cloud" / "cloud.env").read_bytes() == before


def test_entries_of_the_secret_store_are_of_this_installation_alone() -> None:
    for name in CLOUD:
        entries = {
            one["remoteRef"]["key"] for each in of_kind(overlay(name), "ExternalSecret") for one in each["spec"]["data"]
        }
        assert {each.partition("/")[0] for each in entries} == {cloud(name)["installation"]}
    values = yaml.safe_load((KUBERNETES / "prometheus-adapter.values.yaml").read_text(encoding="utf-8"))
    assert values["rules"]["default"] is False
