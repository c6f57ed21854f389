"""Ratios against a peer in one run: `make bench`, `make bench ONLY=write OUT=write.json`.

Absolute times mean nothing on a machine that others use too; a ratio from runs taken in turns does. A figure is
the median of at least five rounds, a ratio that of the rounds' own ratios. The JSON is a list of {name, unit, ares,
peer, peer_name, limit, limit_name, ratio_vs_peer, ratio_vs_limit, lost, n, versions}.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))

import boards
import collector
import decode
import door
import exact_tier
import fast_tier
import features
import fresh_bars
import imports
import line
import scoring
import socket_to_row
import tick_to_order
import traces
import write
from contest import Bench, in_turns, ratio

ROUNDS_MIN = 5

BENCHES: dict[str, Callable[[], Bench]] = {
    "collector": collector.bench,
    "decode": decode.bench,
    "fast_tier": fast_tier.bench,
    "fast_tier_cold": fast_tier.cold,
    "import": imports.bench,
    "line": line.bench,
    "traces": traces.bench,
    "write": write.bench,
}

SUITES: dict[str, Callable[[int], list[dict[str, object]]]] = {
    "boards": boards.results,
    "door": door.results,
    "exact_tier": exact_tier.results,
    "features": features.results,
    "fresh_bars": fresh_bars.results,
    "ingest": socket_to_row.results,
    "scoring": scoring.results,
    "tick_to_order": tick_to_order.results,
}
"""Benches whose contestants are processes, and which report several figures of the same runs."""

TOGETHER = {"backtest": ("fast_tier", "fast_tier_cold", "exact_tier")}
"""Names that stand for several."""


def measure(bench: Bench, rounds: int) -> dict[str, object]:
    """Run the contestants in turns and compare their medians (units per second: more is better)."""
    with bench.arena() as contestants:
        rates = in_turns(contestants, rounds)
        lost = bench.lost()
    ours, peer, limit = (rates[name] for name in ("ares", "peer", "limit"))
    return {
        "name": bench.name,
        "unit": bench.unit,
        "ares": round(median(ours)),
        "peer": round(median(peer)),
        "peer_name": bench.peer_name,
        "limit": round(median(limit)),
        "limit_name": bench.limit_name,
        "ratio_vs_peer": ratio(ours, peer),
        "ratio_vs_limit": ratio(ours, limit),
        "lost": lost,
        "n": rounds,
        "versions": {name: metadata.version(name) for name in bench.packages},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=sorted({**BENCHES, **SUITES, **TOGETHER}))
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--rounds", type=int, default=ROUNDS_MIN)
    arguments = parser.parse_args()
    names = TOGETHER.get(arguments.only, (arguments.only,)) if arguments.only else sorted({**BENCHES, **SUITES})
    rounds = max(ROUNDS_MIN, arguments.rounds)
    results: list[dict[str, object]] = []
    for name in names:
        results += SUITES[name](rounds) if name in SUITES else [measure(BENCHES[name](), rounds)]
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    for result in results:
        print(
            f"{result['name']}: {result['ares']} {result['unit']}; {result['ratio_vs_peer']} x "
            f"{result['peer_name']}, {result['ratio_vs_limit']} x {result['limit_name']}, lost {result['lost']}"
        )


if __name__ == "__main__":
    main()
