"""Goal: what deploys applies the plan that people saw and no other, and runs images by the digests of the release."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.helpers import ROOT
from tests.kubernetes import INSTALL, KUBERNETES, SAID_BY_TERRAFORM, Object, objects, overlay, pods

SCRIPT = ROOT / ".ci" / "deploy"
NAMES = ("ares", "ares-questdb")
PLACE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/ares-prod"
DIGESTS = {"ares": f"sha256:{'a' * 64}", "ares-questdb": f"sha256:{'b' * 64}"}
HASH = re.compile(r"-[0-9a-z]{10}$")
CONFIG = """
variable "wish" {
  type = string
}
resource "terraform_data" "thing" {
  input = var.wish
}
output "kustomize" {
  value = jsondecode(file("facts.json"))
}
"""


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    """An environment `prod` of Terraform's own resources, which need no provider, with the output of a real one."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed: see developer.hashicorp.com/terraform/install")
    folder = tmp_path / "environments" / "prod"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text(CONFIG, encoding="utf-8")
    (folder / "terraform.tfvars").write_text('wish = "one"\n', encoding="utf-8")
    (folder / "facts.json").write_text(json.dumps(facts()), encoding="utf-8")
    return folder.parent


def facts() -> Object:
    images = {"ares": f"{PLACE}/ares", "questdb": f"{PLACE}/questdb"}
    return {**SAID_BY_TERRAFORM, "images": images}


def deploy(environments: Path, *words: str | Path, script: Path = SCRIPT) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "TERRAFORM_ENVIRONMENTS": str(environments), "CHECKPOINT_DISABLE": "1"}
    return subprocess.run([script, *words], env=variables, capture_output=True, text=True, check=False)


def planned(environments: Path, out: Path) -> str:
    done = deploy(environments, "plan", "prod", out)
    assert done.returncode == 0, done.stderr
    return (out / "digest").read_text(encoding="utf-8").strip()


def test_plan_that_people_saw_is_applied_and_then_there_is_nothing_left(environments: Path, tmp_path: Path) -> None:
    digest = planned(environments, tmp_path / "seen")
    assert "terraform_data.thing will be created" in (tmp_path / "seen" / "plan.txt").read_text(encoding="utf-8")
    assert planned(environments, tmp_path / "again") == digest
    done = deploy(environments, "apply", "prod", digest)
    assert done.returncode == 0, done.stderr
    assert planned(environments, tmp_path / "after") != digest
    assert "No changes" in (tmp_path / "after" / "plan.txt").read_text(encoding="utf-8")


def test_plan_that_nobody_saw_is_not_applied(environments: Path, tmp_path: Path) -> None:
    digest = planned(environments, tmp_path / "seen")
    (environments / "prod" / "terraform.tfvars").write_text('wish = "another"\n', encoding="utf-8")
    refused = deploy(environments, "apply", "prod", digest)
    assert refused.returncode == 1
    assert f"error: this is not the plan that was looked at ({digest})" in refused.stderr
    assert '"another"' in refused.stderr, "what it would do now is shown"
    assert not (environments / "prod" / "terraform.tfstate").exists()


def test_somebody_elses_change_in_between_is_noticed(environments: Path, tmp_path: Path) -> None:
    digest = planned(environments, tmp_path / "seen")
    assert deploy(environments, "apply", "prod", digest).returncode == 0
    (environments / "prod" / "terraform.tfvars").write_text('wish = "two"\n', encoding="utf-8")
    digest = planned(environments, tmp_path / "seen")
    there = environments / "prod"
    subprocess.run(["terraform", f"-chdir={there}", "apply", "-auto-approve", "-var=wish=three"], check=True)
    refused = deploy(environments, "apply", "prod", digest)
    assert refused.returncode == 1
    assert '"three" -> "two"' in refused.stderr


@pytest.fixture
def applied(environments: Path, tmp_path: Path) -> Path:
    """The environment after its first apply, and beside it a copy of the manifests, which the script fills in."""
    assert deploy(environments, "apply", "prod", planned(environments, tmp_path / "seen")).returncode == 0
    shutil.copytree(KUBERNETES, tmp_path / "checkout" / "deploy" / "kubernetes")
    (tmp_path / "checkout" / ".ci").mkdir()
    shutil.copy(SCRIPT, tmp_path / "checkout" / ".ci" / "deploy")
    return environments


def images_file(folder: Path, **changed: str) -> Path:
    said = {name: f"registry.example.com/trading/{name}@{DIGESTS[name]}" for name in NAMES} | changed
    file = folder / "images.json"
    file.write_text(json.dumps(said), encoding="utf-8")
    return file


def test_manifests_run_the_releases_digests_from_the_environments_registry(applied: Path, tmp_path: Path) -> None:
    require_program("kubectl", INSTALL)
    script, out = tmp_path / "checkout" / ".ci" / "deploy", tmp_path / "out.yaml"
    done = deploy(applied, "manifests", "prod", images_file(tmp_path), out, script=script)
    assert done.returncode == 0, done.stderr
    there = objects(out.read_text(encoding="utf-8"))
    images = {container["image"] for pod in pods(there) for container in pod.containers}
    ours = {image for image in images if "alertmanager" not in image}
    assert ours == {f"{PLACE}/ares@{DIGESTS['ares']}", f"{PLACE}/questdb@{DIGESTS['ares-questdb']}"}
    assert kinds(there) == kinds(overlay("prod")), "nothing is there that the overlay does not have, and nothing lacks"
    text = out.read_text(encoding="utf-8")
    assert "eks.amazonaws.com/role-arn: arn:b" in text, "what Terraform says is filled in"
    assert "000000000000" not in text


def test_release_that_names_other_images_is_not_deployed_as_if_it_were_this_one(applied: Path, tmp_path: Path) -> None:
    require_program("kubectl", INSTALL)
    checkout, out = tmp_path / "checkout", tmp_path / "out.yaml"
    release = checkout / "deploy" / "kubernetes" / "overlays" / "prod" / "release" / "kustomization.yaml"
    text = release.read_text(encoding="utf-8")
    own = "- {name: ares, newName: registry.example.com/ours, newTag: 0.1.0}"
    release.write_text(text.replace("- {name: ares, newTag: 0.1.0}", own), encoding="utf-8")
    done = deploy(applied, "manifests", "prod", images_file(tmp_path), out, script=checkout / ".ci" / "deploy")
    assert done.returncode == 1
    assert f"no pod would run {PLACE}/ares@{DIGESTS['ares']}" in done.stderr
    assert not out.exists()


def kinds(there: Sequence[Object]) -> list[tuple[str, str]]:
    """Kinds and names of objects; names of ConfigMaps without what their content gives them."""
    said = [(each["kind"], each["metadata"]["name"]) for each in there]
    return sorted((kind, HASH.sub("", name) if kind == "ConfigMap" else name) for kind, name in said)


def test_registry_is_what_terraform_says(applied: Path) -> None:
    done = deploy(applied, "registry", "prod")
    assert done.stdout == f"{PLACE.partition('/')[0]}\n"


@pytest.mark.parametrize(
    "image",
    [
        "registry.example.com/trading/ares:1.4.0",
        f"registry.example.com/trading/other@{DIGESTS['ares']}",
        f"registry.example.com/trading/ares@{DIGESTS['ares']}; id",
        "registry.example.com/trading/ares@sha256:abc",
    ],
)
def test_image_that_is_not_named_by_its_digest_is_refused(applied: Path, tmp_path: Path, image: str) -> None:
    script, out = tmp_path / "checkout" / ".ci" / "deploy", tmp_path / "out.yaml"
    done = deploy(applied, "manifests", "prod", images_file(tmp_path, ares=image), out, script=script)
    assert done.returncode == 1
    assert "must end with /ares@sha256:" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "usage: deploy plan ENVIRONMENT FOLDER"),
        (("plan", "prod"), 2, "usage: deploy plan"),
        (("destroy", "prod", "x"), 2, "usage: deploy plan"),
        (("plan", "dev", "x"), 1, "environment 'dev': must be staging or prod"),
        (("plan", "prod; id", "x"), 1, "must be staging or prod"),
        (("apply", "prod", "latest"), 1, "digest 'latest' of the plan: must be sha256:"),
        (("plan", "staging", "x"), 1, "nowhere/staging is not there"),
    ],
)
def test_words_that_are_wrong_are_refused_before_anything_is_done(words: tuple[str, ...], code: int, said: str) -> None:
    done = deploy(Path("nowhere"), *words)
    assert done.returncode == code
    assert said in done.stderr


def test_script_is_clean() -> None:
    done = subprocess.run([ROOT / ".venv" / "bin" / "shellcheck", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
