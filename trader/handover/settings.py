"""By which settings a trader trades, and in what two traders of one account differ. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from ares.config import AresConfig
from ares.config.changes import shown
from ares.redaction import HIDDEN

OWN = frozenset({"trading.control_host", "trading.control_port", "trading.control_url", "trading.control_token"})
"""Where a trader is asked: two on one machine cannot have the same."""
ABSENT = "(absent)"


def settings_of(config: AresConfig) -> dict[str, str]:
    """What decides how an account is traded, by dotted path; secrets are left out."""
    venue = config.venues.get(config.trading.venue)
    told: dict[str, object] = {"trading": shown(config.trading), "ingest.symbols": list(config.ingest.symbols)}
    if venue is not None:
        told[f"venues.{config.trading.venue}"] = shown(venue)
    leaves = dict(_leaves(told, ""))
    return {path: value for path, value in leaves.items() if path not in OWN and value != orjson.dumps(HIDDEN).decode()}


def differing(leader: Mapping[str, str], candidate: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Settings that are not the same: path, the leader's, the candidate's."""
    paths = sorted(leader.keys() | candidate.keys())
    both = [(path, leader.get(path, ABSENT), candidate.get(path, ABSENT)) for path in paths]
    return [each for each in both if each[1] != each[2]]


def _leaves(tree: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str).decode()
