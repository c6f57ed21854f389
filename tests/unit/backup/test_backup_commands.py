"""`ares backup`: every verb shows an example, wrong words are named."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from ares.errors import UsageError
from backup.commands import app


@pytest.mark.parametrize("verb", ["run", "init", "list", "check", "prune", "unlock", "release"])
def test_help_of_every_verb_shows_an_example(verb: str) -> None:
    told = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert told.exit_code == 0
    assert f"Example: ares backup {verb}" in " ".join(told.output.split())


@pytest.mark.parametrize("part", ["0/7", "8/7", "7", "a/b", "1/0", "/", "-1/7"])
def test_part_that_is_none_is_named(part: str) -> None:
    told = CliRunner().invoke(app, ["check", "--read-data-subset", part])
    assert isinstance(told.exception, UsageError)
    assert repr(part) in str(told.exception)


def test_kind_that_is_none_is_named() -> None:
    told = CliRunner().invoke(app, ["run", "--kind", "everything"])
    assert isinstance(told.exception, UsageError)
    assert "market" in str(told.exception)
