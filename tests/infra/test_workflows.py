"""Goal: workflows are right by actionlint and zizmor, use what is pinned, may little, and run what a person can run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.helpers import ROOT, missing
from tests.workflows import ACTIONS, GITHUB, WORKFLOWS, commands, jobs, parsed, rights, steps, used

BIN = ROOT / ".venv" / "bin"
GO = "install Go 1.25 or newer from your distribution or go.dev"
DEBIAN = "debian@sha256:f37a335e82bca302e955fa39f9dfe28f1be618f016f8a2b56318e5a5111afc26"
PINNED = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
WRITES = {
    ("release.yml", "image"): {"packages": "write", "id-token": "write", "attestations": "write"},
    ("release.yml", "publish"): {"contents": "write"},
    ("release.yml", "deploy"): {"id-token": "write"},
    ("deploy.yml", "staging"): {"id-token": "write"},
    ("deploy.yml", "prod"): {"id-token": "write"},
    ("deploy-environment.yml", "plan"): {"id-token": "write"},
    ("deploy-environment.yml", "apply"): {"id-token": "write"},
}
"""Which jobs may write what; all others only read."""


@pytest.fixture(scope="session")
def actionlint() -> str:
    """The program, built once into the user's cache."""
    require_program("go", GO)
    build = ROOT / "infra" / "actionlint" / "build.sh"
    done = subprocess.run([build], capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"actionlint cannot be built: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


@pytest.fixture(scope="session")
def zizmor(checks: Path) -> Path:
    """The program, in the environment of what judges infrastructure."""
    return checks / "zizmor"


def judged(*command: str | Path, cwd: Path = ROOT) -> tuple[int, str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """All workflows in a repository of their own, which a test may spoil."""
    shutil.copytree(GITHUB, tmp_path / ".github")
    (tmp_path / ".git").mkdir()
    return tmp_path


def spoil(folder: Path, name: str, old: str, new: str) -> None:
    file = folder / ".github" / "workflows" / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_actionlint_finds_nothing(actionlint: str) -> None:
    code, said = judged(actionlint, "-shellcheck", BIN / "shellcheck", "-pyflakes=")
    assert code == 0, said


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("ci.yml", ("timeout-minutes: 20", "timeout-minuts: 20"), "unexpected key"),
        ("ci.yml", ("github.ref_type", "github.reftype"), 'property "reftype" is not defined'),
        ("release.yml", ("needs: [check, image]", "needs: [check, build]"), "does not exist"),
        ("release.yml", ("steps.push.outputs", "steps.pushed.outputs"), 'property "pushed" is not defined'),
        ("deploy.yml", ("      release: ${{ inputs", "      tag: ${{ inputs"), '"tag" is not defined'),
        ("nightly.yml", ('cron: "17 2 * * *"', 'cron: "17 26 * * *"'), "invalid CRON"),
        ("release.yml", ('contains "$GITHUB_SHA"', "contains $GITHUB_SHA"), "SC2086"),
    ],
)
def test_actionlint_finds_what_is_wrong(
    actionlint: str, copied: Path, name: str, change: tuple[str, str], said: str
) -> None:
    spoil(copied, name, *change)
    code, told = judged(actionlint, "-shellcheck", BIN / "shellcheck", "-pyflakes=", cwd=copied)
    assert code == 1
    assert said in told


def test_zizmor_finds_nothing(zizmor: Path) -> None:
    code, said = judged(zizmor, "--offline", "--persona=pedantic", GITHUB)
    assert code == 0, said


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("release.yml", ('check "$GITHUB_REF_NAME"', "check ${{ github.ref_name }}"), "template-injection"),
        ("ci.yml", ("        with:\n          persist-credentials: false\n", ""), "artipacked"),
        ("ci.yml", ("permissions: {}", "permissions: write-all"), "excessive-permissions"),
        ("ci.yml", ("on:\n  pull_request:", "on:\n  pull_request_target:"), "dangerous-triggers"),
        ("release.yml", ("@6f9f17788090df1f26f669e9d70d6ae9567deba6 # v4.1.2", "@v4"), "unpinned-uses"),
        ("nightly.yml", (f"image: {DEBIAN}", "image: debian:12"), "unpinned-images"),
        ("deploy.yml", ("    uses: ./", "    secrets: inherit\n    uses: ./"), "secrets-inherit"),
    ],
)
def test_zizmor_finds_what_is_dangerous(
    zizmor: Path, copied: Path, name: str, change: tuple[str, str], said: str
) -> None:
    spoil(copied, name, *change)
    code, told = judged(zizmor, "--offline", "--persona=pedantic", copied / ".github")
    assert code != 0
    assert said in told


def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is() -> None:
    found = list(used())
    assert len(found) > 20
    assert [each for each in found if not each[1].startswith("./.github/") and not PINNED.fullmatch(each[1])] == []
    by_action: dict[str, set[str]] = {}
    for _, each in found:
        by_action.setdefault(each.partition("@")[0], set()).add(each)
    assert {action for action, pins in by_action.items() if len(pins) > 1} == set(), "one version of each, everywhere"


def test_every_image_that_a_job_runs_in_is_named_by_its_digest() -> None:
    assert {job.said["container"]["image"] for job in jobs() if "container" in job.said} == {DEBIAN}
    built = [step for place, step in steps() if place == "release.yml image" and "make images" in step.get("run", "")]
    assert [step["env"]["BASE"] for step in built] == [DEBIAN]


def test_nothing_is_allowed_but_what_a_job_names_and_few_may_write() -> None:
    for file in WORKFLOWS:
        assert parsed(file)["permissions"] == {}, file.name
    writing = {}
    for job in jobs():
        may = {what: how for what, how in rights(job.said).items() if how != "read"}
        if may:
            writing[job.file.name, job.name] = may
    assert writing == WRITES


def test_no_workflow_knows_a_secret_that_lasts() -> None:
    for file in (*WORKFLOWS, *ACTIONS):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\bsecrets\.", text), f"{file.name}: tokens of the run, and roles by OIDC, are enough"
        assert not re.search(r"access-key|AWS_SECRET|password:", text), file.name


def test_no_script_holds_an_expression() -> None:
    assert [(place, run) for place, run in commands() if "${{" in run] == [], (
        "by a variable: what it says is no program"
    )


def test_every_job_ends_and_of_those_that_would_clash_one_runs_at_a_time() -> None:
    for job in jobs():
        assert job.calls or 0 < job.said["timeout-minutes"] <= 120, f"{job.file.name} {job.name}"
    alone = {file.name for file in WORKFLOWS if "concurrency" in parsed(file)}
    assert alone == {"ci.yml", "nightly.yml", "release.yml"}
    for job in jobs([GITHUB / "workflows" / "deploy.yml"]):
        expected = {"group": f"deploy-{job.name}", "cancel-in-progress": False}
        assert job.said["concurrency"] == expected, "a killed apply leaves a lock"
        assert job.said["with"]["environment"] == job.name


def test_nobodys_credentials_end_before_the_job_that_needs_them() -> None:
    """An apply that loses its role half way leaves a lock, and a cluster between two releases."""
    found = {}
    for job in jobs():
        for step in job.said.get("steps", ()):
            if "configure-aws-credentials" in step.get("uses", ""):
                lasts_s = step["with"].get("role-duration-seconds", 3600)
                found[job.file.name, job.name] = lasts_s >= 60 * job.said["timeout-minutes"]
    assert found == {("deploy-environment.yml", "plan"): True, ("deploy-environment.yml", "apply"): True}


def test_what_is_released_is_built_without_what_others_left_behind() -> None:
    assert all("cache" not in str(step.get("uses")) for place, step in steps() if place.startswith("release.yml"))
    prepared = [step for place, step in steps() if place.startswith("ci.yml") and "prepare" in str(step.get("uses"))]
    assert prepared
    assert all(step["with"]["kept"] == "${{ github.ref_type != 'tag' }}" for step in prepared)


def test_who_changes_an_environment_waits_for_its_approval_and_shows_the_plan_before() -> None:
    found = {job.name: job.said for job in jobs([GITHUB / "workflows" / "deploy-environment.yml"])}
    assert found["plan"]["environment"] == "${{ inputs.environment }}-plan"
    assert found["apply"]["environment"] == "${{ inputs.environment }}"
    assert found["apply"]["needs"] == "plan"
    assert "GITHUB_STEP_SUMMARY" in found["plan"]["steps"][-1]["run"]
    order = [each for step in found["apply"]["steps"] for each in re.findall(r"\.ci/deploy (\w+)", step.get("run", ""))]
    assert order == ["apply", "registry", "images", "manifests", "rollout"]
    deploy = {job.name: job.said for job in jobs([GITHUB / "workflows" / "deploy.yml"])}
    assert deploy["prod"]["needs"] == "staging"
    release = {job.name: job.said for job in jobs([GITHUB / "workflows" / "release.yml"])}
    assert release["image"]["environment"] == "release"
    assert release["image"]["needs"] == ["check", "ci"]


def test_what_workflows_run_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    made = {each for _, run in commands() for each in re.findall(r"^make ([a-z-]+)", run, re.MULTILINE)}
    deep = next(job for job in jobs([GITHUB / "workflows" / "nightly.yml"]) if job.name == "deep")
    made |= set(deep.said["strategy"]["matrix"]["target"])
    assert made <= targets
    scripts = {each for _, run in commands() for each in re.findall(r"\.ci/[\w.]+", run)}
    assert scripts == {".ci/run", ".ci/release.py", ".ci/deploy"}
    assert all((ROOT / each).stat().st_mode & 0o111 for each in scripts)
