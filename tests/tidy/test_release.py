"""Goal: a release has one version everywhere and says what is in it; whatever does not is refused by name."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tests.helpers import ROOT

SCRIPT = ROOT / ".ci" / "release.py"
_spec = importlib.util.spec_from_file_location("release", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
release = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(release)

DAY = date(2027, 1, 31)
NOW = release.Version.of("0.1.0")
FILES = (release.PROJECT, release.LOCK, release.CHANGELOG, *release.OVERLAYS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files of this checkout that a release touches, at version 0.1.0, with a short changelog."""
    for path in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    said = "# Changelog\n\nThe form.\n\n## Unreleased\n\n### Added\n- A thing.\n\n### Fixed\n- A fault.\n"
    (tmp_path / release.CHANGELOG).write_text(said, encoding="utf-8")
    return tmp_path


def texts(root: Path) -> dict[Path, str]:
    return {path: (root / path).read_text(encoding="utf-8") for path in FILES}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, check=False)


def test_this_checkout_names_one_version_everywhere() -> None:
    project = next(said for place, said, _ in release.said_versions(ROOT, NOW) if place == "pyproject.toml")
    version = release.Version.of(project.replace("rc", "-rc."))
    assert {place: said for place, said, wanted in release.said_versions(ROOT, version) if said != wanted} == {}


@pytest.mark.parametrize(
    ("word", "after"),
    [
        ("major", "1.0.0"),
        ("minor", "0.2.0"),
        ("patch", "0.1.1"),
        ("0.2.0", "0.2.0"),
        ("0.2.0-rc.1", "0.2.0-rc.1"),
        ("0.1.1-rc.12", "0.1.1-rc.12"),
    ],
)
def test_bumped_version_is_a_release_that_passes(tree: Path, word: str, after: str) -> None:
    assert str(release.bump(tree, word, DAY)) == after
    release.check(tree, f"v{after}")
    assert release.notes(tree, release.Version.of(after)) == "### Added\n- A thing.\n\n### Fixed\n- A fault."
    assert release.sections((tree / release.CHANGELOG).read_text())["Unreleased"] == (None, "")
    overlay = (tree / release.OVERLAYS[1]).read_text()
    assert f"{{name: ares, newTag: {after}}}" in overlay
    assert f"{{name: ares-questdb, newTag: 9.3.4-{after}}}" in overlay
    assert "{name: prom/alertmanager, newTag: v0.27.0}" in overlay


def test_a_lock_that_was_bumped_is_what_uv_would_write(tree: Path) -> None:
    for path in ("README.md", "LICENSE"):
        shutil.copy(ROOT / path, tree / path)
    release.bump(tree, "0.2.0-rc.1", DAY)
    uv = ROOT / ".venv" / "bin" / "uv"
    done = subprocess.run([uv, "lock", "--check", "--offline"], cwd=tree, capture_output=True, text=True, check=False)
    if "--offline" in done.stderr or "network" in done.stderr.lower():
        pytest.skip("uv has not cached what the lock names")
    assert done.returncode == 0, done.stderr


def test_candidates_lead_to_their_release_and_the_next_one_starts_empty(tree: Path) -> None:
    for word in ("0.2.0-rc.1", "0.2.0-rc.2"):
        release.bump(tree, word, DAY)
        with pytest.raises(release.ReleaseError, match="nothing is unreleased"):
            release.bump(tree, "0.3.0", DAY)
        changelog = tree / release.CHANGELOG
        changelog.write_text(changelog.read_text().replace("## Unreleased\n", "## Unreleased\n\n- More.\n", 1))
    assert str(release.bump(tree, "0.2.0", DAY)) == "0.2.0"
    assert list(release.sections((tree / release.CHANGELOG).read_text())) == [
        "Unreleased", "0.2.0", "0.2.0-rc.2", "0.2.0-rc.1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("0.1.0", "version 0.1.0: must be above 0.1.0"),
        ("0.1.0-rc.1", "version 0.1.0-rc.1: must be above 0.1.0"),
        ("0.0.9", "must be above 0.1.0"),
        ("big", "version 'big': must be like 1.4.0"),
        ("1.0", "version '1.0': must be like 1.4.0"),
        ("01.0.0", "version '01.0.0': must be like"),
        ("1.0.0-rc.0", "must be like 1.4.0, or 1.4.0-rc.1"),
        ("1.0.0\n", "must be like 1.4.0"),
        ("1.0.0; rm -rf .", "must be like 1.4.0"),
        ("", "must be like 1.4.0"),
    ],
)
def test_no_version_and_no_later_one_is_refused_and_nothing_is_written(tree: Path, word: str, said: str) -> None:
    before = texts(tree)
    with pytest.raises(release.ReleaseError, match=said.replace("(", r"\(")):
        release.bump(tree, word, DAY)
    assert texts(tree) == before


def test_part_of_a_candidate_is_ambiguous(tree: Path) -> None:
    release.bump(tree, "0.2.0-rc.1", DAY)
    with pytest.raises(release.ReleaseError, match=r"0\.2\.0-rc\.1 is a candidate: say which .* 0\.2\.0\?"):
        release.bump(tree, "minor", DAY)


def changed(path: Path, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        assert old in text
        (root / path).write_text(text.replace(old, new), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("change", "tag", "said"),
    [
        (changed(release.PROJECT, "0.2.0", "0.3.0"), "v0.2.0", "pyproject.toml says '0.3.0', the tag '0.2.0'"),
        (changed(release.LOCK, 'trading"\nversion = "0.2.0"', 'trading"\nversion = "0.1.0"'), "v0.2.0", "uv.lock says"),
        (changed(release.OVERLAYS[0], "ares, newTag: 0.2.0", "ares, newTag: 0.1.0"), "v0.2.0", "staging/kustomization"),
        (changed(release.OVERLAYS[1], "9.3.4-0.2.0", "9.3.4-0.1.0"), "v0.2.0", "ares-questdb says '9.3.4-0.1.0'"),
        (changed(release.OVERLAYS[1], "{name: ares,", "{name: other,"), "v0.2.0", "must have a line"),
        (changed(release.CHANGELOG, "## 0.2.0 - 2027-01-31", "## 0.2.0"), "v0.2.0", "date None of 0.2.0: must be"),
        (changed(release.CHANGELOG, "2027-01-31", "2027-02-31"), "v0.2.0", "date '2027-02-31' of 0.2.0"),
        (changed(release.CHANGELOG, "## 0.2.0", "## 0.2.1"), "v0.2.0", "has no section '## 0.2.0 - DATE'"),
        (changed(release.CHANGELOG, "- A thing.\n\n### Fixed\n- A fault.", ""), "v0.2.0", "section of 0.2.0 says noth"),
        (changed(release.CHANGELOG, "## Unreleased", "## 0.2.0 - 2027-01-30"), "v0.2.0", "has two sections 0.2.0"),
        (lambda root: (root / release.CHANGELOG).unlink(), "v0.2.0", "CHANGELOG.md: No such file"),
        (lambda _: None, "v0.3.0", "pyproject.toml says '0.2.0', the tag '0.3.0'"),
        (lambda _: None, "0.2.0", "tag '0.2.0': must be v and a version"),
        (lambda _: None, "v0.2", "version '0.2': must be like"),
        (lambda _: None, "v0.2.0\n", "must be like 1.4.0"),
        (lambda _: None, "", "tag '': must be v and a version"),
    ],
)
def test_what_does_not_agree_is_no_release(tree: Path, change: Callable[[Path], None], tag: str, said: str) -> None:
    release.bump(tree, "minor", DAY)
    release.check(tree, "v0.2.0")
    change(tree)
    with pytest.raises(release.ReleaseError) as refused:
        release.check(tree, tag)
    assert said in str(refused.value)


def test_everything_that_is_wrong_is_said_at_once(tree: Path) -> None:
    with pytest.raises(release.ReleaseError) as refused:
        release.check(tree, "v7.0.0")
    assert len(str(refused.value).splitlines()) == len(FILES) + 2, "two images in each overlay"


def test_words_that_are_none_get_the_usage_and_errors_one_line() -> None:
    for words in ((), ("check",), ("ship", "v1.0.0"), ("check", "v1.0.0", "now")):
        done = run(*words)
        assert (done.returncode, done.stderr.strip()) == (2, release.USAGE)
    done = run("notes", "9.9.9")
    assert done.returncode == 1
    assert done.stderr == "error: CHANGELOG.md: has no section '## 9.9.9 - DATE'; run: release.py bump 9.9.9\n"
