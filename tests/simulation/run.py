"""Seeds in bulk: `python -m tests.simulation.run --seeds 3000`; one with its log: `--seed 17`."""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable

import structlog

from ares.telemetry.logs import configure_logging
from tests.simulation.schedule import Outcome, Schedule

REPLAY = "make simulate SEED={}"
PROGRESS = 250
CHECKED_TWICE = 10
"""Every tenth seed is run twice and must come to the same hash."""


def outcome_of(seed: int, *, twice: bool = False) -> Outcome:
    """Run a seed; what it raises is a finding like any other."""
    schedule = Schedule(seed)
    try:
        outcome = schedule.run()
    except Exception:
        return Outcome(seed, "", [traceback.format_exc()], schedule.log, schedule.figures)
    if twice and Schedule(seed).run().hash != outcome.hash:
        outcome.findings.append("the same seed came to another hash")
    return outcome


def quiet() -> None:
    """What traders log in thousands of deaths helps nobody."""
    configure_logging("simulation", "critical", json=True, stream=io.StringIO())


def many(seeds: Iterable[int]) -> int:
    """Run seeds on all cores but one; returns how many failed."""
    began_s, failed, figures = time.monotonic(), 0, Counter[str]()
    done = 0
    with multiprocessing.Pool(max(1, (os.cpu_count() or 2) - 1), quiet) as pool:
        for outcome in pool.imap(_bulk, seeds, chunksize=8):
            done += 1
            figures.update(outcome.figures)
            if done % PROGRESS == 0:
                say(f"{done} seeds, {failed} failed so far")
            if outcome.findings:
                failed += 1
                say(f"seed {outcome.seed} failed; replay it by: {REPLAY.format(outcome.seed)}")
                say("  " + outcome.findings[0].replace("\n", "\n  "))
    seconds = time.monotonic() - began_s
    told = ", ".join(f"{name} {number}" for name, number in sorted(figures.items()))
    say(f"{done} seeds, {failed} failed, {seconds:.0f} s ({told})")
    return failed


def one(seed: int) -> int:
    """Run one seed and show all of it; returns 1 if it failed."""
    configure_logging("simulation", "info", json=False)
    structlog.contextvars.clear_contextvars()
    outcome = outcome_of(seed, twice=True)
    say("\n".join(outcome.log))
    say(f"seed {seed}: hash {outcome.hash}")
    say("\n".join(outcome.findings) or "nothing is wrong")
    return 1 if outcome.findings else 0


def say(text: str) -> None:
    """A line on stdout, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _bulk(seed: int) -> Outcome:
    outcome = outcome_of(seed, twice=seed % CHECKED_TWICE == 0)
    outcome.log.clear()
    return outcome


def main() -> int:
    """The command line; exit code 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3_000, help="how many seeds, from 0 on")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one alone and show its log")
    words = parser.parse_args()
    if words.seed is not None:
        return one(words.seed)
    return min(1, many(range(words.first, words.first + words.seeds)))


if __name__ == "__main__":
    sys.exit(main())
