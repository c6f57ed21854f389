#!/usr/bin/env python3
"""Writes what Terraform says of an account into an overlay's cloud.env; a line of somebody's own stays.

terraform -chdir=terraform/environments/prod output -json kustomize | deploy/kubernetes/cloud_env.py prod
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OVERLAYS = Path(__file__).resolve().parent / "overlays"


def lines(said: Mapping[str, Any]) -> dict[str, str]:
    """Terraform's output `kustomize` as variables. Raises `KeyError` for what it lacks.

    Where it has no zone of names, the API's own is not its to say.
    """
    volume = said["volumes"]["primary"]
    roles, buckets, ranges, region = said["role_arns"], said["buckets"], said["ranges"], said["region"]
    return {
        "installation": str(said["secret_names"]["control"]).rpartition("/")[0],
        "region": region,
        "volume_key_arn": said["volume_key_arn"],
        "questdb_volume_id": volume["id"],
        "questdb_volume_zone": volume["zone"],
        "questdb_volume_size": f"{volume['size_gib']}Gi",
        "backup_role_arn": roles["backup"],
        "lake_role_arn": roles["lake"],
        "secrets_role_arn": roles["external-secrets"],
        "backup_repository": f"s3:https://s3.{region}.amazonaws.com/{buckets['backup']}/ares",
        "lake_location": f"s3://{buckets['cold']}/ares",
        "file_system_id": said["file_system_id"],
        "node_cidr": ranges["nodes"],
        "endpoint_cidr": ranges["endpoints"],
        "api_server_cidr": ranges["api_server"],
        "control_store_cidr": ranges["control_store"],
        **({"public_url": f"https://{said['api_host']}"} if said["api_host"] else {}),
    }


def namespace(overlay: str) -> str:
    """Where an overlay's objects are."""
    text = (OVERLAYS / overlay / "kustomization.yaml").read_text(encoding="utf-8")
    return next(line.split()[1] for line in text.splitlines() if line.startswith("namespace:"))


def merged(before: str, said: Mapping[str, str]) -> str:
    """A file's text with these variables in place of its own."""
    kept = dict(line.partition("=")[::2] for line in before.splitlines() if line.strip())
    return "".join(f"{name}={value}\n" for name, value in {**kept, **said}.items())


def main(arguments: list[str]) -> int:
    known = sorted(path.parent.parent.name for path in OVERLAYS.glob("*/cloud/cloud.env"))
    if len(arguments) != 1 or arguments[0] not in known:
        sys.stderr.write(f"usage: cloud_env.py {'|'.join(known)} < output of terraform\n")
        return 2
    (overlay,) = arguments
    file = OVERLAYS / overlay / "cloud" / "cloud.env"
    try:
        output = json.load(sys.stdin)
        said, theirs = lines(output), output["namespace"]
    except (KeyError, ValueError, TypeError) as error:
        sys.stderr.write(f"error: not Terraform's output `kustomize` with a volume `primary`: {error!r}\n")
        return 1
    if theirs != namespace(overlay):
        sys.stderr.write(
            f"error: {overlay} is in the namespace {namespace(overlay)}, and roles of {output['cluster']} are for "
            f"{theirs}: take another environment's output, or the overlay that it is for\n"
        )
        return 1
    file.write_text(merged(file.read_text(encoding="utf-8"), said), encoding="utf-8")
    sys.stdout.write(f"{file}: {len(said)} lines are Terraform's\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
