#!/usr/bin/env python3
"""What a release is made of: one version everywhere, and a section of the changelog that says what is in it.

release.py check v1.4.0        whether the tag, pyproject, the lock, the overlays and the changelog say the same
release.py notes 1.4.0         the changelog's section: the release's notes
release.py bump minor          the next version into all of these files; Unreleased becomes its section

Exit 1 names what is wrong, 2 a word that is none. Nothing is written unless everything can be.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PROJECT, LOCK, CHANGELOG = Path("pyproject.toml"), Path("uv.lock"), Path("CHANGELOG.md")
OVERLAYS = tuple(
    Path("deploy/kubernetes/overlays") / name
    for name in ("staging/kustomization.yaml", "prod/release/kustomization.yaml")
)
NUMBER = r"(?:0|[1-9][0-9]*)"
VERSION = re.compile(rf"({NUMBER})\.({NUMBER})\.({NUMBER})(?:-rc\.([1-9][0-9]*))?")
PARTS = ("major", "minor", "patch")
HEADING = re.compile(r"^## (?P<name>\S+)(?: - (?P<date>\S+))?[ \t]*$", re.MULTILINE)
UNRELEASED = "Unreleased"
IMAGE = re.compile(r"^(?P<before>.*\{name: (?P<name>ares(?:-questdb)?), newTag: )(?P<tag>[^}]+)\}", re.MULTILINE)
OWN_LOCK = re.compile(r'(name = "ares-trading"\nversion = ")([^"]+)(")')
OWN_PROJECT = re.compile(r'(?m)^(version = ")([^"]+)(")')
USAGE = "usage: release.py check TAG | notes VERSION | bump major|minor|patch|VERSION"


class ReleaseError(Exception):
    """Why this is no release; its text is for a person."""


class Version(NamedTuple):
    """By semver.org; `candidate` is N of `-rc.N`, None for the release itself."""

    major: int
    minor: int
    patch: int
    candidate: int | None = None

    @classmethod
    def of(cls, text: str) -> Version:
        """Raises `ReleaseError` for what is no version of ours."""
        found = VERSION.fullmatch(text)
        if found is None:
            raise ReleaseError(f"version {text!r}: must be like 1.4.0, or 1.4.0-rc.1 for a candidate")
        major, minor, patch, candidate = found.groups()
        return cls(int(major), int(minor), int(patch), int(candidate) if candidate else None)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}" + (f"-rc.{self.candidate}" if self.candidate else "")

    @property
    def python(self) -> str:
        """As Python writes it, in pyproject and lock."""
        return f"{self.major}.{self.minor}.{self.patch}" + (f"rc{self.candidate}" if self.candidate else "")

    @property
    def order(self) -> tuple[int, int, int, float]:
        """A candidate comes before its release."""
        return self.major, self.minor, self.patch, self.candidate or float("inf")

    def next(self, word: str) -> Version:
        """The one after, by the name of the part that grows, or by the version itself."""
        if word not in PARTS:
            after = Version.of(word)
        elif self.candidate is not None:
            raise ReleaseError(f"{self} is a candidate: say which version comes next, {self._replace(candidate=None)}?")
        elif word == "major":
            after = Version(self.major + 1, 0, 0)
        elif word == "minor":
            after = Version(self.major, self.minor + 1, 0)
        else:
            after = Version(self.major, self.minor, self.patch + 1)
        if after.order <= self.order:
            raise ReleaseError(f"version {after}: must be above {self}, which is what {PROJECT} says")
        return after


def check(root: Path, tag: str) -> None:
    """That a tag may become a release. Raises `ReleaseError` with everything that is wrong, a line each."""
    if not tag.startswith("v"):
        raise ReleaseError(f"tag {tag!r}: must be v and a version, like v1.4.0")
    version = Version.of(tag[1:])
    wrong = [
        f"{place} says {said!r}, the tag {wanted!r}"
        for place, said, wanted in said_versions(root, version)
        if said != wanted
    ]
    try:
        notes(root, version)
    except ReleaseError as error:
        wrong.append(str(error))
    if wrong:
        raise ReleaseError("\n".join([f"{tag} is no release: {wrong[0]}", *wrong[1:]]))


def said_versions(root: Path, version: Version) -> list[tuple[str, str, str]]:
    """Every place that names the version: its name, what it says, what it must say."""
    with (root / PROJECT).open("rb") as file:
        project = str(tomllib.load(file)["project"]["version"])
    found = [(str(PROJECT), project, version.python), (str(LOCK), locked(root), version.python)]
    for overlay in OVERLAYS:
        images = {each["name"]: each["tag"] for each in IMAGE.finditer(read(root, overlay))}
        if set(images) != {"ares", "ares-questdb"}:
            raise ReleaseError(f"{overlay}: must have a line {{name: …, newTag: …}} for ares and one for ares-questdb")
        found.append((f"{overlay}, ares", images["ares"], str(version)))
        server = images["ares-questdb"].partition("-")[0]
        found.append((f"{overlay}, ares-questdb", images["ares-questdb"], f"{server}-{version}"))
    return found


def locked(root: Path) -> str:
    found = OWN_LOCK.search(read(root, LOCK))
    if found is None:
        raise ReleaseError(f"{LOCK}: has no package ares-trading; run: uv lock")
    return found[2]


def sections(text: str) -> dict[str, tuple[str | None, str]]:
    """The changelog by version: its date, and its text. Raises `ReleaseError` for a version that is there twice."""
    headings = list(HEADING.finditer(text))
    ends = [*(each.start() for each in headings[1:]), len(text)]
    found: dict[str, tuple[str | None, str]] = {}
    for heading, end in zip(headings, ends, strict=True):
        if heading["name"] in found:
            raise ReleaseError(f"{CHANGELOG}: has two sections {heading['name']}")
        found[heading["name"]] = heading["date"], text[heading.end() : end].strip()
    return found


def notes(root: Path, version: Version) -> str:
    """A version's section of the changelog. Raises `ReleaseError` where it is absent, empty or has no date."""
    found = sections(read(root, CHANGELOG))
    if str(version) not in found:
        raise ReleaseError(f"{CHANGELOG}: has no section '## {version} - DATE'; run: release.py bump {version}")
    day, text = found[str(version)]
    try:
        date.fromisoformat(day or "")
    except ValueError:
        raise ReleaseError(f"{CHANGELOG}: date {day!r} of {version}: must be a day, like 2027-01-31") from None
    if not said_in(text):
        raise ReleaseError(f"{CHANGELOG}: the section of {version} says nothing")
    return text


def said_in(text: str) -> list[str]:
    """What a section says, without headings of kinds."""
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def bump(root: Path, word: str, day: date) -> Version:
    """Write the next version everywhere. Raises `ReleaseError`, and then nothing was written."""
    with (root / PROJECT).open("rb") as file:
        now = str(tomllib.load(file)["project"]["version"])
    version = Version.of(re.sub(r"rc([0-9]+)$", r"-rc.\1", now)).next(word)
    texts = {
        PROJECT: replaced(OWN_PROJECT, read(root, PROJECT), version.python, PROJECT),
        LOCK: replaced(OWN_LOCK, read(root, LOCK), version.python, LOCK),
        CHANGELOG: released(read(root, CHANGELOG), version, day),
        **{overlay: with_images(read(root, overlay), version) for overlay in OVERLAYS},
    }
    for path, text in texts.items():
        (root / path).write_text(text, encoding="utf-8")
    return version


def replaced(pattern: re.Pattern[str], text: str, version: str, path: Path) -> str:
    after, count = pattern.subn(lambda found: f"{found[1]}{version}{found[3]}", text)
    if count != 1:
        raise ReleaseError(f"{path}: names its version {count} times; must be once")
    return after


def with_images(text: str, version: Version) -> str:
    """An overlay's text with the images of a version; the server's own version stays."""

    def tagged(found: re.Match[str]) -> str:
        server = f"{found['tag'].partition('-')[0]}-" if found["name"] == "ares-questdb" else ""
        return f"{found['before']}{server}{version}}}"

    return IMAGE.sub(tagged, text)


def released(text: str, version: Version, day: date) -> str:
    """The changelog with what was unreleased as the section of a version, and a new, empty Unreleased above it."""
    found = sections(text)
    if UNRELEASED not in found:
        raise ReleaseError(f"{CHANGELOG}: has no section '## {UNRELEASED}'")
    if str(version) in found:
        raise ReleaseError(f"{CHANGELOG}: has a section {version} already")
    if not said_in(found[UNRELEASED][1]):
        raise ReleaseError(f"{CHANGELOG}: nothing is unreleased; a release says what is in it")
    return text.replace(f"## {UNRELEASED}\n", f"## {UNRELEASED}\n\n## {version} - {day.isoformat()}\n", 1)


def read(root: Path, path: Path) -> str:
    try:
        return (root / path).read_text(encoding="utf-8")
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}") from None


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Print what was asked for; the exit code."""
    match arguments:
        case ("check" | "notes" | "bump" as verb, word):
            pass
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    try:
        print(answer(root, verb, word))
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def answer(root: Path, verb: str, word: str) -> str:
    if verb == "notes":
        return notes(root, Version.of(word.removeprefix("v")))
    if verb == "bump":
        return f"{bump(root, word, datetime.now(UTC).date())}: look at the changes, then commit them"
    check(root, word)
    return f"{word}: version and changelog agree"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
