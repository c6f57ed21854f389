"""The venues that are examined: a module each, with a `SPECIMEN`. A new one is found by being there.

`ARES_TEST_VENUE` names one of them, for who works on it.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from tests.conformance.specimen import Specimen

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
WANTED = os.environ.get("ARES_TEST_VENUE", "")
assert WANTED in ("", *NAMES), f"VENUE={WANTED}: no specimen of that name; there are {', '.join(NAMES)}"
SPECIMENS: list[Specimen] = [import_module(f"{__name__}.{name}").SPECIMEN for name in NAMES if WANTED in ("", name)]
