"""What a HorizontalPodAutoscaler decides: its documented algorithm as a pure function.

https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/ (algorithm details; configurable
scaling behavior), and where that leaves a question open the controller itself: pkg/controller/podautoscaler of
Kubernetes 1.34, replica_calculator.go (tolerance, pods without a figure) and horizontal.go (windows, then policies).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from tests.kubernetes import Object

SYNC_S = 15.0
"""How often the controller looks (--horizontal-pod-autoscaler-sync-period)."""
TOLERANCE = 0.1
"""A ratio nearer to 1 than this changes nothing (--horizontal-pod-autoscaler-tolerance)."""


@dataclass(frozen=True)
class Policy:
    """At most so many pods, or percent of those there were, within a period."""

    kind: str
    value: int
    period_s: float


@dataclass(frozen=True)
class Rules:
    """Of one direction."""

    window_s: float
    select: str
    policies: Sequence[Policy]

    @classmethod
    def of(cls, said: Object) -> Self:
        policies = [Policy(each["type"], each["value"], each["periodSeconds"]) for each in said["policies"]]
        return cls(said["stabilizationWindowSeconds"], said["selectPolicy"], policies)


@dataclass(frozen=True)
class Autoscaler:
    """A manifest's figures; `targets`: of each metric of pods, the average that is wanted."""

    least: int
    most: int
    targets: Mapping[str, float]
    up: Rules
    down: Rules

    @classmethod
    def of(cls, manifest: Object) -> Self:
        spec = manifest["spec"]
        pods = [each["pods"] for each in spec["metrics"] if each["type"] == "Pods"]
        targets = {each["metric"]["name"]: float(each["target"]["averageValue"]) for each in pods}
        behavior = spec["behavior"]
        up, down = Rules.of(behavior["scaleUp"]), Rules.of(behavior["scaleDown"])
        return cls(spec["minReplicas"], spec["maxReplicas"], targets, up, down)


@dataclass
class Memory:
    """What the controller remembers: its recommendations, and how many pods it added (or removed, below 0), when."""

    recommended: list[tuple[float, int]] = field(default_factory=list)
    changed: list[tuple[float, int]] = field(default_factory=list)


def wanted_by(target: float, current: int, figures: Sequence[float]) -> int:
    """By one metric, given a figure for each pod that has one."""
    if not figures:
        return current
    ratio = sum(figures) / len(figures) / target
    missing = current - len(figures)
    if missing <= 0:
        return current if abs(1 - ratio) <= TOLERANCE else math.ceil(ratio * len(figures))
    # Who says nothing is taken to do nothing when pods shall come, and to do all its share when they shall go.
    filled = [*figures, *[target if ratio < 1 else 0.0] * missing]
    anew = sum(filled) / len(filled) / target
    if abs(1 - anew) <= TOLERANCE or (ratio < 1) != (anew < 1):
        return current
    return math.ceil(anew * len(filled))


def decide(
    scaler: Autoscaler, memory: Memory, now_s: float, current: int, figures: Mapping[str, Sequence[float]]
) -> int:
    """How many pods there shall be; `memory` is added to. At its first look it takes what there is for recommended."""
    if not memory.recommended:
        memory.recommended.append((now_s, current))
    wanted = max(wanted_by(target, current, figures[name]) for name, target in scaler.targets.items())
    stable = stabilised(scaler, memory, now_s, current, wanted)
    bounded = within_policies(scaler, memory, now_s, current, stable)
    if bounded != current:
        memory.changed.append((now_s, bounded - current))
    return bounded


def stabilised(scaler: Autoscaler, memory: Memory, now_s: float, current: int, wanted: int) -> int:
    """The least of what was recommended lately when pods shall come, the most when they shall go."""
    up = min([wanted, *(n for at_s, n in memory.recommended if at_s > now_s - scaler.up.window_s)])
    down = max([wanted, *(n for at_s, n in memory.recommended if at_s > now_s - scaler.down.window_s)])
    memory.recommended.append((now_s, wanted))
    return min(max(current, up), down)


def within_policies(scaler: Autoscaler, memory: Memory, now_s: float, current: int, wanted: int) -> int:
    """As far as policies and bounds let it go at once."""
    if wanted > current:
        most = max(current, _limit(scaler.up, memory, now_s, current, sign=1))
        return min(wanted, most, max(scaler.most, current)) if current <= scaler.most else scaler.most
    if wanted < current:
        least = min(current, _limit(scaler.down, memory, now_s, current, sign=-1))
        return min(max(wanted, least, scaler.least), current)
    return min(max(current, scaler.least), scaler.most)


def _limit(rules: Rules, memory: Memory, now_s: float, current: int, *, sign: int) -> int:
    if rules.select == "Disabled":
        return current
    limits = []
    for policy in rules.policies:
        started = current - sum(change for at_s, change in memory.changed if at_s > now_s - policy.period_s)
        if policy.kind == "Pods":
            limits.append(started + sign * policy.value)
        else:
            share = started * (1 + sign * policy.value / 100)
            limits.append(math.ceil(share) if sign > 0 else int(share))
    farthest = max if (rules.select == "Max") == (sign > 0) else min
    return farthest(limits)
