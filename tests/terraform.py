"""Terraform for tests: the program, its provider, copies of our tree, and an AWS of this machine alone (moto)."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from backup.restore.scratch import free_ports
from tests.helpers import ROOT
from tests.s3 import moto_server

TREE = ROOT / "terraform"
ENVIRONMENTS = ("dev", "staging", "prod")
ROOTS = ("bootstrap", *(f"environments/{name}" for name in ENVIRONMENTS))
PROVIDER = "5.100.0"
READY_S_MAX = 60.0
INSTALL = "terraform 1.11 or newer is not installed, and no package registry has it: developer.hashicorp.com/terraform"
NOWHERE = "http://127.0.0.1:1"
"""Where calls to AWS go in tests that make none: no real account is reached, whatever goes wrong."""


@functools.cache
def program() -> str:
    """Where Terraform is. Skips in CI too: neither Debian nor a language's registry has it."""
    found = shutil.which("terraform")
    if found is None:
        pytest.skip(INSTALL)
    told = subprocess.run([found, "version", "-json"], capture_output=True, text=True, check=True, env=_quiet())
    version = json.loads(told.stdout)["terraform_version"]
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < (1, 11):
        pytest.skip(f"{INSTALL} (this is {version})")
    return found


def _quiet() -> dict[str, str]:
    """The environment without what would lead Terraform to a person's account, settings or plugins."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    return {**kept, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}


def mirror() -> Path | None:
    """A filesystem mirror with our version of the provider, if the machine has one; without, it is downloaded.

    It is what `ARES_TEST_TF_PLUGINS` names, or a folder where software beside the system's own is put.
    """
    if named := os.environ.get("ARES_TEST_TF_PLUGINS"):
        assert list(Path(named).glob(f"*/hashicorp/aws/{PROVIDER}")), f"no hashicorp/aws {PROVIDER} in {named}"
        return Path(named)
    for parent in ("/opt", "/usr/share", "/usr/local/share"):
        for found in Path(parent).glob(f"*/*/hashicorp/aws/{PROVIDER}"):
            return found.parents[3]
    return None


@dataclass(frozen=True)
class Terraform:
    """A copy of the tree in a folder of its own, and whose AWS it talks to."""

    folder: Path
    endpoint: str = NOWHERE
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def copied(cls, folder: Path, endpoint: str = NOWHERE) -> Terraform:
        """Without what somebody's own runs left in the tree."""
        theirs = (".terraform", ".terraform.lock.hcl", "*.tfstate*", "terraform.tfvars", "backend.hcl", "backend.tf")
        shutil.copytree(TREE, folder / "terraform", ignore=shutil.ignore_patterns(*theirs))
        found = mirror()
        if found is not None:
            (folder / "cli.tfrc").write_text(
                f'provider_installation {{\n  filesystem_mirror {{\n    path = "{found}"\n  }}\n}}\n', encoding="utf-8"
            )
        return cls(folder, endpoint)

    def environment(self) -> dict[str, str]:
        """Variables of every run: credentials that open nothing, and an endpoint that is not Amazon's."""
        config = self.folder / "cli.tfrc"
        return {
            **_quiet(),
            **({"TF_CLI_CONFIG_FILE": str(config)} if config.exists() else {}),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self.folder / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "none"),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "eu-central-1",
            "NO_PROXY": "127.0.0.1,localhost",
            **self.variables,
        }

    def run(self, where: str, *arguments: str, timeout_s: float = 1200) -> subprocess.CompletedProcess[str]:
        """Run it in a root of the copy, as `environments/dev`."""
        return subprocess.run(
            [program(), f"-chdir={self.folder / 'terraform' / where}", *arguments],
            env=self.environment(), capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip

    def done(self, where: str, *arguments: str, timeout_s: float = 600) -> str:
        """What it wrote; it must have ended well."""
        told = self.run(where, *arguments, timeout_s=timeout_s)
        assert told.returncode == 0, f"terraform {' '.join(arguments)} in {where}:\n{told.stderr[-6000:]}"
        return told.stdout

    def init(self, where: str, *arguments: str) -> None:
        """Make a root ready. Skips where the provider is not here and cannot be downloaded."""
        told = self.run(where, "init", "-no-color", *arguments)
        if "Failed to query available provider packages" in told.stderr:
            pytest.skip(
                f"the provider hashicorp/aws {PROVIDER} is neither in a mirror nor in reach: {told.stderr[-300:]}"
            )
        assert told.returncode == 0, told.stderr

    def planned(self, where: str, *arguments: str) -> Mapping[str, object]:
        """The plan of a root as data."""
        name = f"{time.monotonic_ns()}.tfplan"
        self.done(where, "plan", "-no-color", f"-out={name}", *arguments)
        plan: Mapping[str, object] = json.loads(self.done(where, "show", "-json", name))
        return plan


@contextmanager
def running_aws(folder: Path) -> Iterator[str]:
    """The address of an empty AWS on this machine; gone with the block."""
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    environment = {**_quiet(), "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
    with (folder / "moto.log").open("w") as log:
        server = subprocess.Popen(
            [str(moto_server()), "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log, env=environment
        )
        try:
            until_s = time.monotonic() + READY_S_MAX
            while not _answers(url):
                assert server.poll() is None, (folder / "moto.log").read_text()[-2000:]
                assert time.monotonic() < until_s, "moto is not ready"
                time.sleep(0.1)
            yield url
        finally:
            server.terminate()
            server.wait()


ASKED = """
import boto3, json, sys
found = {}
for region in sys.argv[2:]:
    def ask(service, call, key, **arguments):
        client = boto3.client(service, region_name=region, endpoint_url=sys.argv[1])
        pages = client.get_paginator(call).paginate(**arguments).build_full_result()
        left = [each for each in pages[key] if not isinstance(each, dict) or each.get("State") != "deleted"]
        found[f"{region} {service} {key}"] = len(left)
    ask("ec2", "describe_vpcs", "Vpcs")
    ask("ec2", "describe_nat_gateways", "NatGateways", Filters=[{"Name": "state", "Values": ["available"]}])
    ask("ec2", "describe_volumes", "Volumes")
    ask("ec2", "describe_security_groups", "SecurityGroups")
    ask("ec2", "describe_vpc_endpoints", "VpcEndpoints")
    ask("eks", "list_clusters", "clusters")
    ask("secretsmanager", "list_secrets", "SecretList")
    ask("sns", "list_topics", "Topics")
    ask("cloudwatch", "describe_alarms", "MetricAlarms")
    ask("logs", "describe_log_groups", "logGroups")
    ask("s3", "list_buckets", "Buckets")
    ask("iam", "list_roles", "Roles")
    ask("route53", "list_hosted_zones", "HostedZones")
print(json.dumps(found))
"""


def held(url: str) -> dict[str, int]:
    """How many things of what people make an AWS on this machine holds, by region and kind, by its own API."""
    counts: dict[str, int] = json.loads(_asked(url, ASKED, "eu-central-1", "eu-west-1", "us-east-1"))
    return counts


def some_image(url: str) -> str:
    """The id of an image that an AWS on this machine knows."""
    code = "import boto3, sys; ec2 = boto3.client('ec2', region_name='eu-central-1', endpoint_url=sys.argv[1])\n"
    return _asked(url, f"{code}print(ec2.describe_images(Owners=['amazon'])['Images'][0]['ImageId'])").strip()


def _asked(url: str, code: str, *arguments: str) -> str:
    """What a script says that asks by AWS' own client, which lies beside moto."""
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "NO_PROXY": "127.0.0.1,localhost"}
    told = subprocess.run(
        [str(moto_server().with_name("python")), "-c", code, url, *arguments],
        capture_output=True, text=True, check=False, env={**_quiet(), **credentials},
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-2000:]
    return told.stdout


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/moto-api/data.json", timeout=5):
            return True
    except (URLError, OSError):
        return False


@dataclass(frozen=True)
class Quirk:
    """What moto gives back other than it was given: not a drift of ours."""

    kind: str
    path: str
    why: str

    def covers(self, kind: str, path: str) -> bool:
        return re.fullmatch(self.kind, kind) is not None and re.fullmatch(self.path, path) is not None


QUIRKS = (
    Quirk("aws_eks_node_group", r"\.remote_access", "invents a key for SSH"),
    Quirk("aws_eks_node_group", r"\.update_config", "forgets it"),
    Quirk("aws_vpc_security_group_(in|e)gress_rule", r"\.description", "forgets it"),
    Quirk("aws_secretsmanager_secret", r"\.replica\[\d+\]\.kms_key_id", "forgets a replica's key"),
    Quirk(
        "aws_s3_bucket_replication_configuration",
        r"\.rule\[0\]\.(delete_marker_replication|source_selection_criteria|destination\[0\]\.(enc|storage_class)).*",
        "keeps of a rule its filter and where it leads",
    ),
    Quirk("aws_db_instance", r"\.(monitoring|performance_insights)_.*", "measures no database"),
    Quirk("aws_db_parameter_group", r"\.parameter", "does not say which ones are ours"),
    Quirk("aws_route53_zone", r"\.vpc", "forgets the network of a private zone"),
)
"""All of them; docs/guides/operator/cloud.md names them too. What depends on such a thing is unknown in a plan."""


def differences(plan: Mapping[str, object]) -> list[str]:
    """What a plan would change, without moto's quirks and what only follows from them."""
    found: list[str] = []
    changes = plan.get("resource_changes", [])
    assert isinstance(changes, list)
    for each in changes:
        change = each["change"]
        if each["mode"] != "managed" or change["actions"] == ["no-op"]:
            continue
        for path, before, after in _unequal(change["before"], change["after"], change["after_unknown"], ""):
            if not any(quirk.covers(each["type"], path) for quirk in QUIRKS):
                found.append(f"{each['address']}{path}: {before!r} -> {after!r}")
    return found


def _unequal(before: object, after: object, unknown: object, path: str) -> Iterator[tuple[str, object, object]]:
    if unknown is True or (not before and not after and before != 0 and after != 0):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            later = unknown.get(name) if isinstance(unknown, dict) else None
            yield from _unequal(before.get(name), after.get(name), later, f"{path}.{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            later = unknown[index] if isinstance(unknown, list) and index < len(unknown) else None
            yield from _unequal(old, new, later, f"{path}[{index}]")
    elif before != after:
        yield path, before, after


def inventory(plan: Mapping[str, object]) -> dict[str, dict[str, int]]:
    """How many resources of which type each module of a plan makes."""
    counts: dict[str, dict[str, int]] = {}
    changes = plan["resource_changes"]
    assert isinstance(changes, list)
    for each in changes:
        if each["mode"] == "managed":
            module = re.sub(r'\["[^"]*"\]', "", each.get("module_address", "root"))
            types = counts.setdefault(module, {})
            types[each["type"]] = types.get(each["type"], 0) + 1
    return {module: dict(sorted(types.items())) for module, types in sorted(counts.items())}


def mocked_plans(terraform: Terraform) -> dict[str, Mapping[str, object]]:
    """The plan of every run of tests/environments.tftest.hcl, by the run's name, without an account."""
    told = terraform.run(".", "test", "-json", "-verbose", "-filter=tests/environments.tftest.hcl")
    plans: dict[str, Mapping[str, object]] = {}
    said: list[str] = []
    for line in told.stdout.splitlines():
        message = json.loads(line)
        if message["type"] == "test_plan":
            plans[message["@testrun"]] = message["test_plan"]
        elif message["type"] == "diagnostic":
            said.append(json.dumps(message["diagnostic"]))
    assert told.returncode == 0, "\n".join(said) + told.stderr
    return plans
