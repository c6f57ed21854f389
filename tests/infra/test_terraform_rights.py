"""Goal: roles may do what they are for and no more, by the source; on an applied stack it is proved with the apply."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.terraform import TREE

LOOKS = re.compile(r"^[a-z0-9-]+:(Describe|Get|List)\w+$")
DOCUMENT = re.compile(r'^data "aws_iam_policy_document" "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
STATEMENT = re.compile(r"^( +)statement \{\n(.*?)^\1\}|^( +)content \{\n(.*?)^\3\}", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """What a statement of a policy says, as far as it stands in the source."""

    where: str
    body: str

    @property
    def actions(self) -> list[str]:
        found = re.search(r"actions += \[(.*?)\]", self.body, re.DOTALL)
        return re.findall(r'"([^"]+)"', found[1]) if found else []

    @property
    def for_all(self) -> bool:
        return 'resources = ["*"]' in self.body

    @property
    def of_a_resource(self) -> bool:
        """Whether it is part of a policy that a resource has: it speaks of that resource alone."""
        return "principals {" in self.body

    @property
    def refuses(self) -> bool:
        return re.search(r'effect += "Deny"', self.body) is not None


def statements() -> Iterator[Statement]:
    for path in sorted(TREE.rglob("*.tf")):
        for name, body in DOCUMENT.findall(path.read_text(encoding="utf-8")):
            for number, found in enumerate(STATEMENT.finditer(body)):
                yield Statement(f"{path.relative_to(TREE)}: {name}, {number}", found[2] or found[4])


def given() -> list[Statement]:
    """What roles are given: no refusals, no policies of resources."""
    return [each for each in statements() if not each.of_a_resource and not each.refuses]


def test_there_is_something_to_look_at() -> None:
    assert len(given()) > 20
    assert len(list(statements())) > 40


@pytest.mark.parametrize("statement", given(), ids=lambda each: each.where)
def test_no_role_is_given_whole_services(statement: Statement) -> None:
    assert [action for action in statement.actions if "*" in action] == []
    if statement.for_all:
        assert [action for action in statement.actions if not LOOKS.match(action)] == [], "name the resources"


def test_what_is_given_for_all_resources_says_why() -> None:
    for path in TREE.rglob("*.tf"):
        for name, body in DOCUMENT.findall(path.read_text(encoding="utf-8")):
            if 'resources = ["*"]' in body and 'effect    = "Deny"' not in body and "s3_endpoint" not in name:
                assert "#checkov:skip=CKV_AWS_356:" in body, f"{path.relative_to(TREE)}: {name}"


def test_policies_of_resources_name_a_condition_for_everybody() -> None:
    """Who is not named must at least be bound: to this account, to a service, to a few buckets."""
    for each in statements():
        if each.of_a_resource and 'identifiers = ["*"]' in each.body and not each.refuses:
            assert "condition {" in each.body or each.actions == ["s3:GetObject"], each.where


def test_trust_is_bound_to_one_service_account_and_its_audience() -> None:
    source = (TREE / "modules" / "cluster" / "access.tf").read_text(encoding="utf-8")
    trust = next(body for name, body in DOCUMENT.findall(source) if name == "workload_trust")
    assert trust.count("StringEquals") == 2
    assert "${local.issuer}:sub" in trust
    assert "${local.issuer}:aud" in trust
    assert "StringLike" not in trust
