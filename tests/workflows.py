"""Workflows as they are written, and what tests read out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.helpers import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
Node = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One job of one workflow; `said` is what it says."""

    file: Path
    name: str
    said: Node

    @property
    def calls(self) -> bool:
        """Whether it is another workflow."""
        return "uses" in self.said

    @property
    def steps(self) -> Sequence[Node]:
        return list(self.said.get("steps", ()))


def parsed(file: Path) -> Node:
    """A workflow; its `on` is a word again, which YAML 1.1 takes for a truth."""
    said: Node = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in said.items()}


def jobs(files: Sequence[Path] = WORKFLOWS) -> Iterator[Job]:
    for file in files:
        yield from (Job(file, name, said) for name, said in parsed(file)["jobs"].items())


def steps() -> Iterator[tuple[str, Node]]:
    """Every step of every job and of our own actions, with the name of its place."""
    for job in jobs():
        yield from ((f"{job.file.name} {job.name}", step) for step in job.steps)
    for file in ACTIONS:
        yield from ((f"{file.parent.name}/action.yml", step) for step in parsed(file)["runs"]["steps"])


def used() -> Iterator[tuple[str, str]]:
    """Every line with `uses:`, as it is written, with its comment."""
    for file in (*WORKFLOWS, *ACTIONS):
        for line in file.read_text(encoding="utf-8").splitlines():
            found = re.match(r"\s*(?:- )?uses: (.+)$", line)
            if found:
                yield file.name, found[1]


def commands() -> Iterator[tuple[str, str]]:
    """Every script that some step runs, with the name of its place."""
    yield from ((place, step["run"]) for place, step in steps() if "run" in step)


def rights(said: Node) -> Mapping[str, str]:
    found = said.get("permissions")
    assert isinstance(found, dict), "permissions must be named one by one"
    return found
