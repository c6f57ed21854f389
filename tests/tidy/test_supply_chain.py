"""The gates that licences and secrets pass through let nothing else through."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from tests.helpers import missing

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "supply_chain.py"
_spec = importlib.util.spec_from_file_location("supply_chain", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
supply_chain = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(supply_chain)


@pytest.mark.parametrize(
    "told",
    [
        *(
            "MIT",
            "MIT License",
            "BSD-3-Clause",
            "BSD License",
            "Apache-2.0",
            "Apache Software License",
            "ISC License (ISCL)",
        ),
        *("Mozilla Public License 2.0 (MPL 2.0)", "Python Software Foundation License", "PSF-2.0", "GPL-3.0 OR MIT"),
        *("MIT AND BSD-3-Clause", "(MIT OR Apache-2.0) AND Zlib"),
    ],
)
def test_licence_on_the_list_passes(told: str) -> None:
    assert supply_chain.allowed(told)


@pytest.mark.parametrize(
    "told",
    [
        *(
            "GPL-3.0-only",
            "AGPL-3.0",
            "unknown",
            "",
            "Proprietary; Limited",
            "MIT AND GPL-3.0-only",
            "Commercial BSD-like",
        ),
        *("Apache-2.0 AND AGPL-3.0-or-later", "MIT; GNU General Public License v3 (GPLv3)"),
    ],
)
def test_any_other_licence_waits_for_a_review(told: str) -> None:
    assert not supply_chain.allowed(told)


def test_secret_that_was_committed_and_taken_out_again_is_found(tmp_path: Path) -> None:
    if not (supply_chain.BIN / "detect-secrets").exists():
        missing("detect-secrets is not installed: make supply-chain")
    key = "AKIA" + "Z7" * 8  # in two parts: together they look like what this test looks for

    def git(*words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    for content in ("colour = blue\n", f"aws_key = '{key}'\n", "colour = blue\n"):
        (tmp_path / "settings.ini").write_text(content)
        git("add", "-A")
        git("commit", "--allow-empty", "-m", "x")
    (complaint,) = supply_chain.history(tmp_path)
    assert complaint.startswith("settings.ini, in the history: AWS Access Key")
    assert key not in complaint


def test_a_line_that_looks_like_a_header_is_a_line() -> None:
    header = ("commit 1", "diff --git a/x b/x", "--- a/x", "+++ b/x", "@@ -0,0 +1,3 @@")
    log = "\n".join([*header, "+++ /etc/passwd", "+++ b/uv.lock", "+key\x0cword", "commit 2"])
    assert supply_chain.ever_added(log) == {"x": ["++ /etc/passwd", "++ b/uv.lock", "key\x0cword"]}
