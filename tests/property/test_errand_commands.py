"""Goal: whatever an errand is asked for with, its command line says that and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from typer._click.core import Command, Context

from ares.cli import app
from ares.service.errands.registry import errands
from ares.service.errands.spec import Place

SPECS = {spec.name: spec for spec in errands()}
PLACE = Place("e1", Path("reports"))
PRINTED = st.characters(min_codepoint=32, max_codepoint=126)
NASTY = st.text(PRINTED, max_size=20) | st.sampled_from(
    [
        *(
            "--help",
            "-h",
            "--",
            "-",
            "--why=x",
            "--json",
            "--again",
            "; true",
            "$(true)",
            "`true`",
            "a b",
            "a\nb",
            "../x",
        ),
        *("\x00", "@file", "*", "--report=/tmp/x", "x --to y", "\u2028", "ü", "=", "--to", "%(x)s", "signal_x_v3"),
    ]
)
REQUIRED = {"job", "field", "value", "reason", "version", "model", "strategy", "from", "to"}
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "job": {"job": "name"},
    "config-set": {"field": "field", "value": "value", "reason": "why"},
    "config-rollback": {"version": "version", "reason": "why"},
    "model-promote": {"version": "version", "stage": "stage", "reason": "why"},
    "model-rollback": {"to": "to", "reason": "why"},
    "backtest": {
        "from": "from_", "to": "to", "venue": "venue", "tier": "tier", "cash": "cash", "position": "position",
        "half_spread_bps": "half_spread_bps", "slippage_bps": "slippage_bps", "depth_share": "depth_share",
        "latency_ms": "latency_ms",
    },
}  # fmt: skip
FLAGS: Mapping[str, set[str]] = {
    "job": {"json"}, "config-set": {"json"}, "config-rollback": {"json"}, "model-promote": {"json"},
    "model-rollback": set(), "backtest": {"json", "progress_lines"},
}  # fmt: skip
ALWAYS = {
    "config-set": {"field": "trading.risk.price_collar"},
    "backtest": {"from": "2024-08-01", "to": "2024-08-08T06:30"},
}


def fitting(schema: Mapping[str, object]) -> st.SearchStrategy[object]:
    """What a field's schema lets through, or nearly."""
    kinds, words = schema.get("anyOf"), schema.get("enum")
    if isinstance(kinds, list):
        return st.one_of(*(fitting(kind) for kind in kinds))
    if isinstance(words, list):
        return st.sampled_from(words)
    items = schema.get("items", {})
    assert isinstance(items, dict)
    plain: Mapping[object, Callable[[], st.SearchStrategy[object]]] = {
        "null": st.none,
        "boolean": st.booleans,
        "integer": lambda: st.integers(1, 10**6),
        "number": lambda: st.floats(0, 60_000),
        "array": lambda: st.lists(fitting(items), max_size=3),
    }
    made, pattern = plain.get(schema.get("type")), str(schema.get("pattern"))
    if made is not None:
        return made()
    return st.text(PRINTED, max_size=40) if "[^" in pattern else st.from_regex(re.compile(pattern), fullmatch=True)


@lru_cache
def fields_of(name: str) -> Mapping[str, st.SearchStrategy[object]]:
    """Strategies of a kind's fields."""
    schema = SPECS[name].arguments.model_json_schema(by_alias=True)
    always = ALWAYS.get(name, {})
    return {
        field: st.just(always[field]) if field in always else fitting(words)
        for field, words in schema["properties"].items()
    }


@lru_cache
def command_of(noun: str, verb: str) -> Command:
    """The real command."""
    group = typer.main.get_command(app)
    of_noun = group.get_command(Context(group), noun)  # type: ignore[attr-defined]  # the root is a group
    command: Command = of_noun.get_command(Context(of_noun), verb)
    return command


@pytest.mark.parametrize("name", list(SPECS))
@settings(max_examples=25)
@given(data=st.data())
def test_no_argument_becomes_an_option_or_another_command(name: str, data: st.DataObject) -> None:
    fields = fields_of(name)
    odd = data.draw(st.sampled_from(["", *fields]), label="odd")
    given_values = {
        field: data.draw(NASTY if field == odd else fits, label=field)
        for field, fits in fields.items()
        if field in REQUIRED or field == odd or data.draw(st.booleans(), label=f"with {field}")
    }
    try:
        wish = SPECS[name].arguments.model_validate(given_values)
    except ValidationError:
        return
    argv = list(wish.command(PLACE))
    assert argv[:2] == list(parsed_words(name))
    params = dict(command_of(argv[0], argv[1]).make_context(argv[1], argv[2:]).params)
    tree = wish.model_dump(by_alias=True)
    for field, parameter in PARAMETERS[name].items():
        said, meant = params.pop(parameter), tree[field]
        assert (said == meant) or (isinstance(meant, float) and float(str(said)) == meant), (field, argv)
    if name == "backtest":
        version = tree["version"]
        assert params.pop("strategy") == (tree["strategy"] + (f"_v{version}" if version else ""))
        assert params.pop("symbols") == ",".join(tree["symbols"])
        assert params.pop("report") == (str(PLACE.report) if tree["report"] else None)
    assert {flag for flag, value in params.items() if value} == FLAGS[name]


def parsed_words(name: str) -> tuple[str, str]:
    """The noun and the verb of a kind: no argument has a say in them."""
    nouns = {"job": ("job", "run"), "backtest": ("backtest", "run"), "config-set": ("config", "set")}
    noun, _, verb = name.replace("model-", "models-").partition("-")
    return nouns.get(name, (noun, verb))
