"""One row to a probability: our compiled form, scikit-learn's `predict_proba` (peer), onnxruntime (limit).

Ours takes a list of numbers, as a bar gives them, and the others an array that is ready. Peers run in a process of
their own and wait while it is not their turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from statistics import median

from contest import in_turns, ratio
from peer_environments import PEERS
from socket_to_row import peers_python

from analytics.models.compiled import CompiledScorer, compile_classifier

sys.path.insert(0, str(PEERS))
from models import families, rows

MEASURED_S = 0.4
Ask = Callable[[str, str], float]


def results(rounds: int) -> list[dict[str, object]]:
    """A figure a family: rows a second, each asked alone."""
    x, y = rows()
    asked = x.tolist()
    found: list[dict[str, object]] = []
    with peers() as ask:
        for family, classifier in families().items():
            classifier.fit(x, y)
            scorer = compile_classifier(classifier)
            wrong = sum(abs(scorer.score(x) - classifier.predict_proba(x)[:, 1]) > 1e-9)
            rates = in_turns(
                {
                    "ares": lambda scorer=scorer: rate(scorer, asked),
                    "peer": lambda family=family: ask("sklearn", family),
                    "limit": lambda family=family: ask("onnxruntime", family),
                },
                rounds,
            )
            found.append(told(f"scoring {family}", rates, int(wrong), rounds))
    return found


def told(name: str, rates: dict[str, list[float]], wrong: int, rounds: int) -> dict[str, object]:
    ours, peer, limit = (rates[who] for who in ("ares", "peer", "limit"))
    return {
        "name": name,
        "unit": "rows/s one by one",
        "ares": round(median(ours)),
        "peer": round(median(peer)),
        "peer_name": "scikit-learn predict_proba",
        "limit": round(median(limit)),
        "limit_name": "onnxruntime",
        "ratio_vs_peer": ratio(ours, peer),
        "ratio_vs_limit": ratio(ours, limit),
        "lost": wrong,
        "n": rounds,
        "versions": {name: metadata.version(name) for name in ("scikit-learn", "numpy", "numba")},
    }


def rate(scorer: CompiledScorer, asked: list[list[float]]) -> float:
    """Rows a second, each asked alone."""
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < MEASURED_S:
        scorer.probabilities([asked[count % len(asked)]])
        count += 1
    return count / took


@contextmanager
def peers() -> Iterator[Ask]:
    """The peers' process, ready to be asked."""
    command = [str(peers_python()), str(PEERS / "score_models.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        if not process.stdout.readline():
            raise SystemExit("score_models.py ended before it was ready")

        def ask(who: str, family: str) -> float:
            assert process.stdin
            assert process.stdout
            process.stdin.write(f"{who} {family}\n")
            process.stdin.flush()
            return float(json.loads(process.stdout.readline())["rate"])

        try:
            yield ask
        finally:
            process.stdin.close()
