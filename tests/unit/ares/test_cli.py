"""Goal: a noun of the command line may have verbs of several packages, and imports only the one that is asked for."""

from __future__ import annotations

import sys

import pytest

from ares import cli


def test_a_package_adds_a_verb_to_the_noun_of_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "KERNEL_COMMANDS", {"config": "ares.commands.config:app"})
    points = {"config.look": "ares.commands.doctor:app", "config.away": "no.such.module:app"}
    known = cli.command_paths

    def with_added(noun: str = "") -> dict[str, str]:
        return {k.removeprefix("config."): v for k, v in points.items()} if noun == "config" else known(noun)

    monkeypatch.setattr(cli, "command_paths", with_added)
    for verb, words in (("look", "Look at the machine"), ("set", "ares config set")):
        monkeypatch.setattr(sys, "argv", ["ares", "config", verb, "--help"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        assert words in capsys.readouterr().out


def test_dots_in_entry_points_are_verbs_and_no_nouns() -> None:
    assert not [name for name in cli.command_paths() if "." in name]
