"""Goal: checkov, which knows many mistakes in Terraform, finds none; what is not for us says why in the code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.terraform import TREE

PASSED_MIN = 500
"""Fewer, and it did not look at all of it."""


def test_policy_checks_find_nothing(checks: Path) -> None:
    told = subprocess.run(
        [
            checks / "checkov", "--directory", TREE, "--framework", "terraform", "--skip-path", r"\.tftest\.hcl$",
            "--output", "json", "--quiet", "--compact", "--skip-download",
        ],
        capture_output=True, text=True, check=False, timeout=900, env={**os.environ, "LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    report = json.loads(told.stdout)
    failed = [
        f"{each['check_id']} {each['resource']} ({each['file_path']}): {each['check_name']}"
        for each in report["results"]["failed_checks"]
    ]
    summary = report["summary"]
    sys.stdout.write(
        f"\ncheckov: {summary['passed']} passed, {summary['skipped']} skipped, {summary['failed']} failed\n"
    )
    assert failed == []
    assert summary["parsing_errors"] == 0
    assert summary["passed"] > PASSED_MIN
