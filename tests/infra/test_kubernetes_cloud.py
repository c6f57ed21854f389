"""Goal: what Terraform says of an account reaches every object that needs it, and nothing is left to be filled in."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import ROOT
from tests.kubernetes import KUBERNETES, SAID_BY_TERRAFORM, Object, cloud, named, of_kind, overlay

CLOUD = ("staging", "prod", "prod-kafka")
ROLE = "eks.amazonaws.com/role-arn"
SCRIPT = runpy.run_path(str(KUBERNETES / "cloud_env.py"))


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
def test_questdb_runs_on_the_nodes_that_terraform_keeps_for_it(name: str) -> None:
    spec = named(overlay(name), "StatefulSet", "questdb")["spec"]["template"]["spec"]
    source = (ROOT / "terraform" / "modules" / "platform" / "main.tf").read_text(encoding="utf-8")
    ((label, value),) = spec["nodeSelector"].items()
    (taint,) = spec["tolerations"]
    assert f'labels         = {{ "{label}" = "{value}" }}' in source
    assert (
        f'taints         = [{{ key = "{taint["key"]}", value = "{taint["value"]}", effect = "NO_SCHEDULE" }}]' in source
    )
    assert taint["effect"] == "NoSchedule"


@pytest.mark.parametrize("name", CLOUD)
def test_questdbs_claim_gets_terraforms_volume_and_no_other(name: str) -> None:
    there = overlay(name)
    (namespace,) = of_kind(there, "Namespace")
    volume = named(there, "PersistentVolume", "ares-questdb")["spec"]
    stateful = named(there, "StatefulSet", "questdb")
    claim = next(each for each in stateful["spec"]["volumeClaimTemplates"] if each["metadata"]["name"] == "data")
    wanted = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace["metadata"]["name"]}
    assert volume["claimRef"] == {**wanted, "name": f"data-{stateful['metadata']['name']}-0"}
    assert claim["spec"]["volumeName"] == "ares-questdb", "where it does not fit, none is better than another one"
    assert gib(claim["spec"]["resources"]["requests"]) <= min(gib(volume["capacity"]), *sizes_of_volumes())
    assert volume["storageClassName"] == claim["spec"]["storageClassName"]
    assert volume["accessModes"] == claim["spec"]["accessModes"]
    assert volume["persistentVolumeReclaimPolicy"] == "Retain"
    classes = {each["metadata"]["name"]: each for each in of_kind(there, "StorageClass")}
    assert classes["ares-data"]["parameters"]["encrypted"] == "true"
    assert claimed(there) <= set(classes)


@pytest.mark.parametrize("name", CLOUD)
def test_no_volume_asks_for_more_operations_than_its_size_may_have(name: str) -> None:
    """500 for each GiB at most, or the volume is not made; 3000 every gp3 has by itself."""
    classes = {each["metadata"]["name"]: each.get("parameters", {}) for each in of_kind(overlay(name), "StorageClass")}
    for stateful in of_kind(overlay(name), "StatefulSet"):
        for claim in stateful["spec"]["volumeClaimTemplates"]:
            operations = int(classes[claim["spec"]["storageClassName"]].get("iops", "0"))
            assert operations <= 500 * gib(claim["spec"]["resources"]["requests"]), claim["metadata"]["name"]


def sizes_of_volumes() -> list[int]:
    """In GiB: QuestDB's in each environment, and the least that Terraform lets anybody choose."""
    files = sorted((ROOT / "terraform" / "environments").glob("*/sizes.tf"))
    questdb = [re.search(r"questdb = \{.*?size_gib += (\d+)", file.read_text(), re.DOTALL) for file in files]
    rule = (ROOT / "terraform" / "modules" / "tsdb" / "variables.tf").read_text(encoding="utf-8")
    found = [*questdb, re.search(r"var\.size_gib >= (\d+)", rule)]
    assert len(found) == 4
    return [int(each[1]) for each in found if each]


@pytest.mark.parametrize("name", CLOUD)
def test_a_cluster_that_is_made_anew_finds_the_shared_folder_as_it_was(name: str) -> None:
    """Its driver's own names hold the claim's uid, which is another one in each cluster."""
    parameters = named(overlay(name), "StorageClass", "ares-shared")["parameters"]
    assert parameters["subPathPattern"] == "${.PVC.name}"
    assert parameters["ensureUniqueDirectory"] == "false"
    claims = of_kind(overlay(name), "PersistentVolumeClaim")
    assert [each["metadata"]["name"] for each in claims] == ["ares-state"], "two of one name would share a folder"


@pytest.mark.parametrize("name", CLOUD)
def test_snapshots_that_are_let_go_of_do_not_stay_with_the_account(name: str) -> None:
    (made,) = of_kind(overlay(name), "VolumeSnapshotClass")
    assert made["deletionPolicy"] == "Delete"
    cron = named(overlay(name), "CronJob", "snapshots")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert f"--class={made['metadata']['name']}" in cron["containers"][0]["args"]


def gib(size: Object) -> int:
    return int(size["storage"].removesuffix("Gi"))


def claimed(there: list[Object]) -> set[str]:
    """Storage classes that somebody asks for."""
    templates = [one for each in of_kind(there, "StatefulSet") for one in each["spec"]["volumeClaimTemplates"]]
    return {each["spec"]["storageClassName"] for each in [*templates, *of_kind(there, "PersistentVolumeClaim")]}


def test_every_overlay_brings_the_storage_classes_that_it_asks_for() -> None:
    for name in ("dev", *CLOUD):
        assert claimed(overlay(name)) <= {each["metadata"]["name"] for each in of_kind(overlay(name), "StorageClass")}


def test_the_output_of_terraform_fills_every_line_and_leaves_one_of_somebodys_own() -> None:
    before = "region=old\nfile_system_id=fs-1\nours=kept\n"
    text = SCRIPT["merged"](before, SCRIPT["lines"](SAID_BY_TERRAFORM))
    said = dict(line.partition("=")[::2] for line in text.splitlines())
    assert (said["ours"], said["file_system_id"]) == ("kept", "fs-2")
    cidrs = [said[f"{name}_cidr"] for name in ("node", "endpoint", "api_server", "control_store")]
    assert cidrs == ["10.9.64.0/18", "10.9.8.0/22", "10.9.12.0/22", "10.9.16.0/22"]
    assert (said["installation"], said["region"], said["questdb_volume_id"]) == ("ares-x", "eu-west-1", "vol-1")
    assert said["questdb_volume_size"] == "1000Gi"
    assert said["public_url"] == "https://api.x.example.com"
    assert said["backup_repository"] == "s3:https://s3.eu-west-1.amazonaws.com/x-backup/ares"
    assert set(said) == {"ours", *SCRIPT["lines"](SAID_BY_TERRAFORM)}
    for name in ("staging", "prod"):
        assert set(SCRIPT["lines"](SAID_BY_TERRAFORM)) == set(cloud(name)), (
            "a line that no overlay has, or that nobody fills"
        )


def test_where_terraform_has_no_name_for_the_api_it_keeps_the_one_that_somebody_wrote() -> None:
    text = SCRIPT["merged"]("public_url=https://ours\n", SCRIPT["lines"]({**SAID_BY_TERRAFORM, "api_host": None}))
    assert dict(line.partition("=")[::2] for line in text.splitlines())["public_url"] == "https://ours"


@pytest.mark.parametrize("name", CLOUD)
def test_browsers_find_the_api_where_its_account_says(name: str) -> None:
    settings = named(overlay(name), "ConfigMap", "ares-cluster")["data"]
    assert settings["ARES_API__PUBLIC_URL"] == cloud(name)["public_url"]


def test_what_is_no_output_of_terraform_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: Any, tmp_path: Path
) -> None:
    assert SCRIPT["main"](["nowhere"]) == 2
    assert "usage: cloud_env.py prod|staging" in capsys.readouterr().err
    wrong = tmp_path / "wrong.json"
    before = (KUBERNETES / "overlays" / "prod" / "cloud" / "cloud.env").read_bytes()
    for other, words in (
        ({"volumes": {}}, "KeyError('primary')"),
        ({"namespace": "ares-staging"}, "prod is in the namespace ares, and roles of ares-x are for ares-staging"),
    ):  # fmt: skip
        wrong.write_text(json.dumps({**SAID_BY_TERRAFORM, **other}), encoding="utf-8")
        with wrong.open(encoding="utf-8") as given:
            monkeypatch.setattr("sys.stdin", given)
            assert SCRIPT["main"](["prod"]) == 1
        assert words in capsys.readouterr().err
    assert (KUBERNETES / "overlays" / "prod" / "cloud" / "cloud.env").read_bytes() == before


def test_entries_of_the_secret_store_are_those_that_terraform_makes_and_the_guide_lists() -> None:
    source = (ROOT / "terraform" / "modules" / "platform" / "secrets.tf").read_text(encoding="utf-8")
    entries = re.findall(
        r'^    "?([a-z/]+)"? += \{ description = "(?:.*: )?([a-z_, ]+)", rotation', source, re.MULTILINE
    )
    made = {name: set(fields.split(", ")) for name, fields in entries}
    read: dict[str, set[str]] = {}
    for each in of_kind(overlay("prod"), "ExternalSecret"):
        for one in each["spec"]["data"]:
            read.setdefault(one["remoteRef"]["key"].partition("/")[2], set()).add(one["remoteRef"]["property"])
    assert read == made
    guide = (ROOT / "docs" / "guides" / "operator" / "kubernetes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z/]+)` \| (`[^|]*) \| [^|]* \|$", guide, re.MULTILINE)
    listed = {name: set(re.findall(r"`([a-z_]+)`", words)) for name, words in rows}
    assert {name: listed.get(name) for name in made} == made


def test_entries_of_the_secret_store_are_of_this_installation_alone() -> None:
    for name in CLOUD:
        entries = {
            one["remoteRef"]["key"] for each in of_kind(overlay(name), "ExternalSecret") for one in each["spec"]["data"]
        }
        assert {each.partition("/")[0] for each in entries} == {cloud(name)["installation"]}
    values = yaml.safe_load((KUBERNETES / "prometheus-adapter.values.yaml").read_text(encoding="utf-8"))
    assert values["rules"]["default"] is False
