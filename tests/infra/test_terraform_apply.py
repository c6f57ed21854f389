"""Goal: what is applied to an AWS of this machine stays as it is and goes again; two people never write at once."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.kubernetes import KUBERNETES, named, of_kind, rendered
from tests.terraform import TREE, Terraform, differences, held, program, running_aws, some_image

FULL = pytest.mark.skipif("ARES_TEST_TERRAFORM" not in os.environ, reason="takes minutes: make test-terraform")
LOCAL = ("-var=s3_use_path_style=true", "-var=max_retries=2", "-var=default_tags={}")
LOOKS = re.compile(r"^[a-z0-9-]+:(Describe|Get|List)\w+$")
PASSES_S_MAX = 60.0

SLOW = """
variable "gate" {
  type = string
}

resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "touch $GATE.began; until [ -e $GATE ]; do sleep 0.1; done"
    environment = {
      GATE = var.gate
    }
  }
}
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An AWS for the tests of this file."""
    program()
    with running_aws(tmp_path_factory.mktemp("aws")) as url:
        yield url


@pytest.fixture
def terraform(tmp_path: Path, aws: str) -> Terraform:
    """A copy of the tree that talks to that AWS."""
    return Terraform.copied(tmp_path, aws)


def resources_of(terraform: Terraform, where: str) -> Iterator[Mapping[str, object]]:
    """What is in a root's state."""

    def below(module: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
        yield from module.get("resources", [])
        for child in module.get("child_modules", []):
            yield from below(child)

    state = json.loads(terraform.done(where, "show", "-json"))
    yield from below(state["values"]["root_module"])


@FULL
def test_states_get_their_place_move_and_go_again(terraform: Terraform, aws: str) -> None:
    """As the guide says it: apply bootstrap, move its own state to S3, and all the way back.

    Not into the bucket that it made: moto takes that one's refusal of plain HTTP, which it speaks, for one of
    everything, and cannot empty a bucket in which something was deleted.
    """
    where, options = "bootstrap", (*LOCAL, "-var=force_destroy=true")
    folder = terraform.folder / "terraform" / where
    bucket, before = made_bucket(aws), held(aws)
    terraform.init(where)
    terraform.done(where, "apply", "-no-color", "-auto-approve", *options)
    assert differences(terraform.planned(where, *options)) == []
    made = set(terraform.done(where, "state", "list").split())
    buckets = "eu-central-1 s3 Buckets"
    assert held(aws)[buckets] == before[buckets] + 3

    backend = json.loads(terraform.done(where, "output", "-json", "backend"))
    assert set(backend) == {"bucket", "region", "kms_key_id"}
    shutil.copy(folder / "backend.tf.example", folder / "backend.tf")
    terraform.init(where, "-migrate-state", "-force-copy", *backend_options(bucket))
    assert set(terraform.done(where, "state", "list").split()) == made
    assert not json.loads((folder / "terraform.tfstate").read_text() or "{}").get("resources")

    (folder / "backend.tf").unlink()
    terraform.init(where, "-migrate-state", "-force-copy")
    assert set(terraform.done(where, "state", "list").split()) == made
    terraform.done(where, "destroy", "-no-color", "-auto-approve", *options)
    assert terraform.done(where, "state", "list") == ""
    assert held(aws) == before


def made_bucket(aws: str) -> str:
    """A bucket for states."""
    name = f"states-{time.monotonic_ns()}"
    with urlopen(Request(f"{aws}/{name}", method="PUT"), timeout=30):
        return name


def backend_options(bucket: str) -> list[str]:
    """What backend.hcl says, for an AWS on this machine."""
    settings = {"bucket": bucket, "key": "ares/dev", "region": "eu-central-1", "use_path_style": "true"}
    return [f"-backend-config={name}={value}" for name, value in settings.items()]


@pytest.fixture
def shared(tmp_path: Path, aws: str) -> tuple[Terraform, tuple[str, str]]:
    """Two people's checkouts of one root, its state kept as environments keep theirs; its resource takes its time."""
    options = backend_options(made_bucket(aws))
    terraform = Terraform.copied(tmp_path, aws)
    for person in ("one", "other"):
        folder = tmp_path / "terraform" / person
        folder.mkdir()
        shutil.copy(TREE / "environments" / "dev" / "versions.tf", folder)
        (folder / "main.tf").write_text(SLOW, encoding="utf-8")
        terraform.init(person, *options)
    return terraform, ("one", "other")


def begun(terraform: Terraform, person: str, gate: Path) -> subprocess.Popen[bytes]:
    """An apply that holds the lock until its gate is there."""
    process = subprocess.Popen(
        [program(), f"-chdir={terraform.folder / 'terraform' / person}", "apply", "-auto-approve", f"-var=gate={gate}"],
        env=terraform.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until_s = time.monotonic() + PASSES_S_MAX
    while not Path(f"{gate}.began").exists():
        assert process.poll() is None, "the first one's apply ended"
        assert time.monotonic() < until_s, "the first one's apply never began"
        time.sleep(0.1)
    return process


def test_a_lock_that_somebody_holds_is_refused_and_free_afterwards(
    shared: tuple[Terraform, tuple[str, str]], tmp_path: Path
) -> None:
    terraform, (one, other) = shared
    gate = tmp_path / "gate"
    process = begun(terraform, one, gate)
    try:
        refused = terraform.run(other, "apply", "-no-color", "-auto-approve", f"-var=gate={gate}")
        assert refused.returncode == 1
        assert "Error acquiring the state lock" in refused.stderr
        assert re.search(r"Operation: +OperationTypeApply", refused.stderr)
    finally:
        gate.touch()
        code = process.wait(PASSES_S_MAX)
    assert code == 0
    assert "No changes" in terraform.done(other, "plan", "-no-color", f"-var=gate={gate}")


def test_a_lock_that_a_dead_run_left_is_taken_away_by_its_id_alone(
    shared: tuple[Terraform, tuple[str, str]], tmp_path: Path
) -> None:
    terraform, (one, other) = shared
    gate = tmp_path / "gate"
    process = begun(terraform, one, gate)
    os.killpg(process.pid, 9)
    process.wait()
    gate.touch()
    refused = terraform.run(other, "plan", "-no-color", f"-var=gate={gate}")
    assert refused.returncode == 1
    found = re.search(r"ID: +([0-9a-f-]{36})", refused.stderr)
    assert found is not None
    wrong = terraform.run(other, "force-unlock", "-force", "00000000-0000-0000-0000-000000000000")
    assert wrong.returncode == 1
    terraform.done(other, "force-unlock", "-force", found[1])
    terraform.done(other, "apply", "-no-color", "-auto-approve", f"-var=gate={gate}")


VARIANTS = {
    "in_the_cluster": '-var=ingress_cidrs=["203.0.113.0/24"]',
    "on_instances": '-var=questdb={ placement = "ec2", ami_id = "IMAGE", nodes = { primary = "a" } }',
}


@FULL
@pytest.mark.parametrize("variant", ["in_the_cluster", "on_instances"])
def test_dev_is_applied_stays_as_it_is_and_goes_again(tmp_path: Path, variant: str) -> None:
    program()
    with running_aws(tmp_path) as url:
        bucket, before = made_bucket(url), held(url)
        terraform = Terraform.copied(tmp_path, url)
        special = VARIANTS[variant].replace("IMAGE", some_image(url))
        where, options = "environments/dev", ("-var-file=local.tfvars", special)
        terraform.init(where, *backend_options(bucket))
        began_s = time.monotonic()
        terraform.done(where, "apply", "-no-color", "-auto-approve", *options, timeout_s=1800)
        applied_s = time.monotonic()
        assert differences(terraform.planned(where, *options)) == []
        made = list(resources_of(terraform, where))
        given_by_roles(made)
        if variant == "in_the_cluster":
            filled_in(terraform.done(where, "output", "-json", "kustomize"), tmp_path / "kubernetes")
        planned_s = time.monotonic()
        terraform.done(where, "destroy", "-no-color", "-auto-approve", *options, timeout_s=1800)
        assert terraform.done(where, "state", "list") == ""
        assert held(url) == before
        sys.stdout.write(
            f"\n{variant}: {len([each for each in made if each['mode'] == 'managed'])} resources in "
            f"{applied_s - began_s:.0f} s, planned again in {planned_s - applied_s:.0f} s, "
            f"destroyed in {time.monotonic() - planned_s:.0f} s\n"
        )


def filled_in(output: str, folder: Path) -> None:
    """What is said of an applied stack goes into an overlay whole, and from there to the objects that need it."""
    shutil.copytree(KUBERNETES, folder)
    script = folder / "cloud_env.py"
    told = subprocess.run(
        [sys.executable, script, "staging"], input=output, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    said, there = json.loads(output), rendered(str(folder / "overlays" / "staging"))
    volume = named(there, "PersistentVolume", "ares-questdb")["spec"]
    assert volume["csi"]["volumeHandle"] == said["volumes"]["primary"]["id"]
    assert volume["capacity"]["storage"] == f"{said['volumes']['primary']['size_gib']}Gi"
    assert named(there, "StorageClass", "ares-shared")["parameters"]["fileSystemId"] == said["file_system_id"]
    assert named(there, "StorageClass", "ares-data")["parameters"]["kmsKeyId"] == said["volume_key_arn"]
    roles = {
        f"ares-staging/{each['metadata']['name']}": each["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        for each in of_kind(there, "ServiceAccount")
        if "eks.amazonaws.com/role-arn" in each["metadata"].get("annotations", {})
    }
    assert roles == {
        account: said["role_arns"][role]
        for role, accounts in said["service_accounts"].items()
        for account in accounts
        if role in {"backup", "lake", "external-secrets"}
    }
    entries = [one["remoteRef"]["key"] for each in of_kind(there, "ExternalSecret") for one in each["spec"]["data"]]
    assert set(entries) <= set(said["secret_names"].values())


def given_by_roles(made: list[Mapping[str, object]]) -> None:
    """What roles of an applied stack may do, by the policies that AWS has: no whole services; for all, looking."""
    policies = [
        (each["address"], json.loads(each["values"]["policy"]))
        for each in made
        if each["mode"] == "managed" and each["type"] in {"aws_iam_policy", "aws_iam_role_policy"}
    ]
    assert len(policies) >= 8
    for address, policy in policies:
        statements = policy["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            actions, resources = listed(statement["Action"]), listed(statement["Resource"])
            assert statement["Effect"] == "Allow", address
            assert [action for action in actions if "*" in action] == [], address
            if "*" in resources:
                assert [action for action in actions if not LOOKS.match(action)] == [], address


def listed(value: object) -> list[str]:
    return value if isinstance(value, list) else [str(value)]
