"""What a candidate must show before it may become champion. Pure: evidence and limits in, findings out."""

from __future__ import annotations

from dataclasses import dataclass

from ares.config.training import ModelsConfig

REPRODUCED_WITHIN = 1e-9
"""Scores of the same fit on the same rows; a library may round otherwise, a generator without a seed does more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of a candidate. `observed` and `limit` in `unit`; `text` says it to people."""

    check: str
    passed: bool
    observed: str
    limit: str
    unit: str = ""

    @property
    def text(self) -> str:
        """One line."""
        verdict = "ok" if self.passed else "refused"
        return f"{self.check}: {verdict}, {self.observed} {self.unit}".rstrip() + f" (limit {self.limit})"


@dataclass(frozen=True, slots=True)
class Judged:
    """How a model did on rows that it had not seen."""

    rows: int
    auc: float
    log_loss: float
    ece: float
    net_share: float
    trades: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a candidate when it is judged.

    `artifact`: what is wrong with its file; `schema`: features that are not there, or whose views changed; `leaks`:
    what canaries learnt and features that look ahead; `drift`: stability index by feature; `age_hours`: from the end of
    its data to now; `apart`: how far the scores of the same fit, made again, are from its own, None if it was not.
    `judged` and `champion` are of the same rows; None where there are none to judge by.
    """

    artifact: str
    schema: tuple[str, ...]
    leaks: tuple[str, ...]
    gaps: str
    quality: str
    age_hours: float
    latency_us: float
    drift: tuple[tuple[str, float], ...]
    apart: float | None
    judged: Judged | None
    champion: Judged | None


def judge(evidence: Evidence, limits: ModelsConfig) -> list[Finding]:
    """Every check of a candidate, all of them, so that who mends one thing knows of the next."""
    found = [
        Finding("artifact", not evidence.artifact, evidence.artifact or "as it was recorded", "as it was recorded"),
        Finding("schema", not evidence.schema, ", ".join(evidence.schema) or "as deployed", "as deployed"),
        Finding("leak", not evidence.leaks, "; ".join(evidence.leaks) or "none", "none"),
        Finding("gaps", evidence.gaps == "whole", evidence.gaps, "whole"),
        Finding("quality", evidence.quality in {"ok", "warn", "unknown"}, evidence.quality, "not fail"),
        _most("age", evidence.age_hours, limits.data_age_hours_max, "hours"),
        _reproduced(evidence.apart),
        _rows(evidence.judged, limits),
    ]
    if evidence.judged is not None and evidence.judged.rows >= limits.rows_min:
        found += _performance(evidence.judged, limits)
        found += _drift(evidence.drift, limits)
        found.append(_most("latency", evidence.latency_us, limits.latency_us_max, "µs a row"))
        if evidence.champion is not None:
            found += _against(evidence.judged, evidence.champion, limits)
    return found


def _performance(judged: Judged, limits: ModelsConfig) -> list[Finding]:
    few = judged.trades < limits.trades_min
    return [
        _most("foresight", judged.auc, limits.auc_max, "auc"),
        _most("calibration", judged.ece, limits.ece_max, "ece"),
        Finding("trades", not few, str(judged.trades), f"at least {limits.trades_min}"),
    ]


def _against(judged: Judged, champion: Judged, limits: ModelsConfig) -> list[Finding]:
    """Foresight and profit, both: a model may be right more often about what does not pay."""
    least = champion.net_share - limits.net_worse_max
    return [
        _most("log_loss", judged.log_loss, champion.log_loss + limits.log_loss_worse_max, "nats a row"),
        Finding("net", judged.net_share >= least, f"{judged.net_share:.5f}", f"at least {least:.5f}", "share"),
    ]


def _drift(drift: tuple[tuple[str, float], ...], limits: ModelsConfig) -> list[Finding]:
    steady = [each for each in drift if each[0] not in limits.psi_skip]
    name, worst = max(steady, key=lambda each: each[1], default=("", 0.0))
    return [Finding("drift", worst <= limits.psi_max, f"{worst:.3f} of {name}", f"{limits.psi_max:g}", "psi")]


def _rows(judged: Judged | None, limits: ModelsConfig) -> Finding:
    rows = 0 if judged is None else judged.rows
    return Finding("rows", rows >= limits.rows_min, str(rows), f"at least {limits.rows_min}", "out of sample")


def _reproduced(apart: float | None) -> Finding:
    said = "not made again" if apart is None else f"{apart:.2g} apart"
    return Finding("reproduced", apart is not None and apart <= REPRODUCED_WITHIN, said, f"{REPRODUCED_WITHIN:g} apart")


def _most(check: str, observed: float, limit: float, unit: str) -> Finding:
    return Finding(check, observed <= limit, f"{observed:.4g}", f"{limit:g}", unit)
