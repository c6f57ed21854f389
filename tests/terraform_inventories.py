"""Writes terraform/inventories: how many resources of which type each environment makes. `make terraform-inventories`.

Whoever changes what is made sees it there in the change, and `tests/infra` proves that nobody forgot to look.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.terraform import TREE, Terraform, inventory, mocked_plans

FOLDER = TREE / "inventories"


def written(plan: Mapping[str, object]) -> str:
    """An inventory as it stands in its file."""
    return json.dumps(inventory(plan), indent=2) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        terraform = Terraform.copied(Path(folder))
        terraform.init(".", "-backend=false")
        plans = mocked_plans(terraform)
    FOLDER.mkdir(exist_ok=True)
    for name, plan in plans.items():
        (FOLDER / f"{name}.json").write_text(written(plan), encoding="utf-8")
        sys.stdout.write(f"terraform/inventories/{name}.json\n")


if __name__ == "__main__":
    main()
