"""Thousands of traders die in these tests: what they log is shown by a replay."""

from __future__ import annotations

import pytest

from tests.simulation import run


@pytest.fixture(autouse=True)
def silence() -> None:
    """For each of them; afterwards logs are as before."""
    run.quiet()
