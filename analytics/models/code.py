"""Which code fits models: what a version pins beside its data."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib import resources

from ares import __version__


@cache
def code_version() -> str:
    """The release, and a fingerprint of the code that labels, fits and judges."""
    digest = sha256()
    for file in sorted(resources.files("analytics.models").iterdir(), key=lambda each: each.name):
        if file.name.endswith(".py"):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"
