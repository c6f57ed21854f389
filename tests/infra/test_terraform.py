"""Goal: the cloud's code is well-formed, refuses what cannot be, makes what its inventories say, without an account."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from docs.terraform import modules, readme
from tests.helpers import ROOT
from tests.kubernetes import KUBERNETES, cloud
from tests.terraform import ENVIRONMENTS, ROOTS, TREE, Terraform, inventory, mocked_plans, program
from tests.terraform_inventories import FOLDER, written

PLANS = (*ENVIRONMENTS, "prod_second_place", "dev_on_instances")
SOURCES = sorted(path for pattern in ("*.tf", "*.hcl", "*.sh", "*.tfvars") for path in TREE.rglob(pattern))
CLOUD_ENV = runpy.run_path(str(KUBERNETES / "cloud_env.py"))
Resource = Mapping[str, object]


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """A copy of the tree in which the root of tests is ready."""
    copy = Terraform.copied(tmp_path_factory.mktemp("terraform"))
    copy.init(".", "-backend=false")
    return copy


@pytest.fixture(scope="module")
def modules_tried(terraform: Terraform) -> Iterator[Future[subprocess.CompletedProcess[str]]]:
    """Tests of all modules; they run while environments are planned."""
    files = sorted(path.name for path in (TREE / "tests").glob("*.tftest.hcl") if path.stem != "environments.tftest")
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(terraform.run, ".", "test", "-no-color", *(f"-filter=tests/{name}" for name in files))


@pytest.fixture(scope="module")
def plans(
    terraform: Terraform, modules_tried: Future[subprocess.CompletedProcess[str]]
) -> Mapping[str, Mapping[str, object]]:
    """What each environment would make, by Terraform's own mocks of AWS; modules are tried at the same time."""
    return mocked_plans(terraform)


def resources(plan: Mapping[str, object], *kinds: str) -> Iterator[tuple[str, Resource]]:
    """Address and known arguments of the resources of some types, or of all."""
    changes = plan["resource_changes"]
    assert isinstance(changes, list)
    for each in changes:
        if each["mode"] == "managed" and (not kinds or each["type"] in kinds):
            yield each["address"], each["change"]["after"]


def test_code_is_in_its_format() -> None:
    told = subprocess.run(
        [program(), "fmt", "-check", "-recursive", "-list=true", str(TREE)], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout) == (0, ""), "terraform fmt -recursive terraform"


@pytest.mark.parametrize("root", ROOTS)
def test_every_root_is_valid(terraform: Terraform, root: str) -> None:
    terraform.init(root, "-backend=false")
    told = json.loads(terraform.run(root, "validate", "-json").stdout)
    assert told["diagnostics"] == []
    assert told["valid"]


@pytest.mark.usefixtures("plans")
def test_modules_do_what_they_say_and_refuse_what_cannot_be(
    modules_tried: Future[subprocess.CompletedProcess[str]],
) -> None:
    told = modules_tried.result()
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]
    assert " 0 failed" in told.stdout
    assert told.stdout.count("... pass") == told.stdout.count("... in progress") + told.stdout.count('  run "')


def test_every_rule_about_a_variable_is_tried() -> None:
    tried = "\n".join(path.read_text(encoding="utf-8") for path in (TREE / "tests").glob("*.tftest.hcl"))
    failures = set(re.findall(r"var\.(\w+)", " ".join(re.findall(r"expect_failures = \[(.*?)\]", tried, re.DOTALL))))
    ruled = {
        name
        for path in TREE.rglob("variables.tf")
        for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', path.read_text(), re.MULTILINE | re.DOTALL)
        if "validation {" in body
    }
    assert ruled == failures


def test_every_refusal_names_the_variable() -> None:
    silent = [
        f"{path.relative_to(TREE)}: {name}"
        for path in TREE.rglob("variables.tf")
        for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', path.read_text(), re.MULTILINE | re.DOTALL)
        for message in re.findall(r'error_message = (?:join\(" ", \[\s*)?"(.*)"', body)
        if not re.match(rf"{name}(\.\w+)?( = |: )", message)
    ]
    assert silent == []


def test_every_environment_takes_the_same_variables() -> None:
    for name in ("variables.tf", "providers.tf", "versions.tf", "outputs.tf", "main.tf"):
        texts = {(TREE / "environments" / each / name).read_text(encoding="utf-8") for each in ENVIRONMENTS}
        assert len(texts) == 1, f"{name} differs between environments: only sizes.tf may"


def test_every_variable_and_output_is_described() -> None:
    blocks = re.compile(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
    bare = [
        f"{path.relative_to(TREE)}: {name}"
        for path in TREE.rglob("*.tf")
        for name, body in blocks.findall(path.read_text(encoding="utf-8"))
        if "  description = " not in body
    ]
    assert bare == []


def test_source_keeps_the_house_rules() -> None:
    for path in SOURCES:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400, f"{path}: split it"
        assert [number for number, line in enumerate(lines, 1) if len(line) > 120] == [], path
    skips = re.compile(r"checkov:skip=CKV2?_AWS_\d+(?P<why>:\S.*)?")
    silent = [
        f"{path}: {found[0]}"
        for path in TREE.rglob("*.tf")
        for found in skips.finditer(path.read_text(encoding="utf-8"))
        if not found["why"]
    ]
    assert silent == [], "a check that is skipped says why"


def test_nothing_ignores_a_change_but_the_autoscalers() -> None:
    ignored = [
        (path.relative_to(TREE).as_posix(), line.strip())
        for path in TREE.rglob("*.tf")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "ignore_changes" in line
    ]
    assert ignored == [("modules/cluster/nodes.tf", "ignore_changes = [scaling_config[0].desired_size]")]


def test_readmes_of_modules_are_fresh() -> None:
    kept = {path.parent: path.read_text(encoding="utf-8") for path in (TREE / "modules").rglob("README.md")}
    assert kept == {folder: readme(folder) for folder in modules()}, "make generate"


@pytest.mark.parametrize("name", PLANS)
def test_inventory_is_what_would_be_made(plans: Mapping[str, Mapping[str, object]], name: str) -> None:
    kept = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert json.loads(kept) == inventory(plans[name]), "make terraform-inventories, and look at what changed"
    assert kept == written(plans[name])


def test_there_are_no_other_inventories(plans: Mapping[str, Mapping[str, object]]) -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(PLANS) == set(plans)


@pytest.mark.parametrize("name", PLANS)
def test_names_are_unique_where_aws_wants_it(plans: Mapping[str, Mapping[str, object]], name: str) -> None:
    """Roles and policies in an account, alarms, buckets and keys' aliases in a region."""
    for kind, argument, length in (
        ("aws_iam_role", "name", 64), ("aws_iam_policy", "name", 128), ("aws_s3_bucket", "bucket", 63),
        ("aws_cloudwatch_metric_alarm", "alarm_name", 255), ("aws_cloudwatch_log_group", "name", 512),
    ):  # fmt: skip
        names = Counter(str(after[argument]) for _, after in resources(plans[name], kind))
        assert names
        assert [each for each, count in names.items() if count > 1] == []
        assert [each for each in names if len(each) > length] == []


@pytest.mark.parametrize("name", PLANS)
def test_all_that_is_kept_is_encrypted_and_ends(plans: Mapping[str, Mapping[str, object]], name: str) -> None:
    plan = plans[name]
    for address, after in resources(plan, "aws_ebs_volume"):
        assert after["encrypted"], address
        assert after["type"] == "gp3", address
    for address, after in resources(plan, "aws_cloudwatch_log_group"):
        assert after["retention_in_days"], address
    unencrypted = [address for address, each in known(plan, "aws_cloudwatch_log_group") if each("kms_key_id") is None]
    assert unencrypted == []
    assert all(after["enable_key_rotation"] for _, after in resources(plan, "aws_kms_key"))
    buckets = Counter(address.rsplit(".aws_s3_bucket.", 1)[0] for address, _ in resources(plan, "aws_s3_bucket"))
    for kind in ("versioning", "public_access_block", "server_side_encryption_configuration", "policy"):
        assert buckets == Counter(
            address.rsplit(f".aws_s3_bucket_{kind}.", 1)[0] for address, _ in resources(plan, f"aws_s3_bucket_{kind}")
        ), kind


def known(plan: Mapping[str, object], kind: str) -> Iterator[tuple[str, object]]:
    """Address of a resource, and a function that gives an argument: None if it is not set, True if it comes later."""
    changes = plan["resource_changes"]
    assert isinstance(changes, list)
    for each in changes:
        if each["type"] == kind:
            after, later = each["change"]["after"], each["change"]["after_unknown"]
            yield each["address"], lambda name, a=after, u=later: True if u.get(name) else a.get(name)


@pytest.mark.parametrize("name", PLANS)
def test_nobody_comes_in_from_everywhere_and_the_database_reaches_nothing_outside(
    plans: Mapping[str, Mapping[str, object]], name: str
) -> None:
    plan = plans[name]
    opened = [
        address for address, after in resources(plan, "aws_vpc_security_group_ingress_rule")
        if after.get("cidr_ipv4") == "0.0.0.0/0" or after.get("cidr_ipv6")
    ]  # fmt: skip
    assert opened == []
    out = dict(resources(plan, "aws_vpc_security_group_egress_rule"))
    outside = [address for address, after in out.items() if after.get("cidr_ipv4") or after.get("cidr_ipv6")]
    assert outside
    assert all(".internet[" in address for address in outside)
    source = (TREE / "modules" / "network" / "security_groups.tf").read_text(encoding="utf-8")
    rule = re.search(r'egress_rule" "internet" \{.*?^\}', source, re.MULTILINE | re.DOTALL)
    assert rule is not None
    assert 'aws_security_group.main["general"].id' in rule[0]


@pytest.mark.parametrize("name", PLANS)
def test_no_value_of_a_secret_is_in_a_plan(plans: Mapping[str, Mapping[str, object]], name: str) -> None:
    kinds = {address.split(".")[-2] for address, _ in resources(plans[name])}
    assert kinds.isdisjoint({"aws_secretsmanager_secret_version", "aws_ssm_parameter", "random_password"})
    assert name == "prod_second_place" or "aws_secretsmanager_secret" in kinds


@pytest.mark.parametrize("name", PLANS)
def test_every_alarm_tells_somebody(plans: Mapping[str, Mapping[str, object]], name: str) -> None:
    alarms = list(known(plans[name], "aws_cloudwatch_metric_alarm"))
    assert alarms
    assert [address for address, each in alarms if not each("alarm_actions")] == []


@pytest.mark.parametrize("name", ["dev", "staging", "prod", "prod_second_place"])
def test_outputs_fill_every_line_that_manifests_want(plans: Mapping[str, Mapping[str, object]], name: str) -> None:
    outputs = plans[name]["output_changes"]
    assert isinstance(outputs, dict)
    said = foreseen(outputs["kustomize"]["after"], outputs["kustomize"]["after_unknown"])
    assert isinstance(said, dict)
    lines = CLOUD_ENV["lines"](said)
    assert all(lines.values())
    if name in {"staging", "prod"}:
        kept = cloud(name)
        known = [line for line in kept if line.endswith(("_cidr", "_size")) or line in {"installation", "region"}]
        assert set(lines) == set(kept)
        assert {line: lines[line] for line in known} == {line: kept[line] for line in known}, "cloud.env of its overlay"
        assert said["namespace"] == CLOUD_ENV["namespace"](name)


def foreseen(after: object, later: object) -> object:
    """A value of a plan; where it is not known yet there are words that say so."""
    if later is True:
        return "known later"
    if isinstance(after, dict) and isinstance(later, dict):
        return {name: foreseen(after.get(name), later.get(name)) for name in {*after, *later}}
    return after


def test_environments_differ_as_they_should(plans: Mapping[str, Mapping[str, object]]) -> None:
    def locks(name: str) -> set[tuple[str, int]]:
        found: Sequence[Resource] = [
            after for _, after in resources(plans[name], "aws_s3_bucket_object_lock_configuration")
        ]
        retentions = [after["rule"][0]["default_retention"][0] for after in found]
        return {(each["mode"], each["days"]) for each in retentions}

    assert (locks("dev"), locks("prod")) == ({("GOVERNANCE", 1)}, {("COMPLIANCE", 30)})
    gateways = {name: len(list(resources(plans[name], "aws_nat_gateway"))) for name in ENVIRONMENTS}
    assert gateways == {"dev": 1, "staging": 1, "prod": 3}
    destroyed = {
        name: {after["force_destroy"] for _, after in resources(plans[name], "aws_s3_bucket")} for name in PLANS
    }
    assert destroyed["prod"] == destroyed["staging"] == {False}


def test_the_guide_counts_what_costs_by_the_piece() -> None:
    text = (ROOT / "docs" / "guides" / "operator" / "cloud.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    rows = {row[1]: row[2:5] for row in cells if len(row) > 5}
    kinds = {
        "KMS keys": "aws_kms_key",
        "secrets, with their replicas": "aws_secretsmanager_secret",
        "alarms": "aws_cloudwatch_metric_alarm",
        "health checks": "aws_route53_health_check",
        "NAT gateways": "aws_nat_gateway",
        "cluster": "aws_eks_cluster",
    }
    for row, kind in kinds.items():
        counted = [
            sum(types.get(kind, 0) for types in json.loads((FOLDER / f"{name}.json").read_text()).values())
            for name in ENVIRONMENTS
        ]
        assert [int(cell) for cell in rows[row]] == counted, row


def test_the_guide_says_how_many_processors_the_nodes_have(plans: Mapping[str, Mapping[str, object]]) -> None:
    """A quota that is too small shows when nodes do not come, and on the day of the disaster."""
    text = (ROOT / "docs" / "guides" / "operator" / "cloud.md").read_text(encoding="utf-8")
    for row, field in (("at the start", "desired_size"), ("when all groups are at their upper bound", "max_size")):
        said = re.search(rf"^ *\| {row} \| (\d+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
        assert said, row
        assert [int(each) for each in said.groups()] == [processors(plans[name], field) for name in ENVIRONMENTS], row


def processors(plan: Mapping[str, object], field: str) -> int:
    """Virtual ones of all node groups at a size: two of a `large`, four of an `xlarge`, eight of a `2xlarge`."""
    count = 0
    for _, after in resources(plan, "aws_eks_node_group"):
        scaling, types = after["scaling_config"], after["instance_types"]
        assert isinstance(scaling, list)
        assert isinstance(types, list)
        sizes = [re.fullmatch(r"[a-z0-9]+\.(\d*)(x?)large", each) for each in types]
        count += scaling[0][field] * max((4 * int(each[1] or 1) if each[2] else 2) for each in sizes if each)
    return count


def test_the_guide_names_every_feature_that_a_local_aws_lacks() -> None:
    text = (ROOT / "docs" / "guides" / "operator" / "cloud.md").read_text(encoding="utf-8")
    local = (TREE / "environments" / "dev" / "local.tfvars").read_text(encoding="utf-8")
    features = set(re.findall(r"^  (\w+) += false", local, re.MULTILINE))
    known = (TREE / "modules" / "platform" / "variables.tf").read_text(encoding="utf-8")
    assert features == set(re.findall(r"^    (\w+) += optional\(bool, true\)", known, re.MULTILINE))
    assert [feature for feature in sorted(features) if f"`{feature}`" not in text] == []
