"""Which version of a model is candidate, challenger and champion: decided in the registry, told in the log.

The registry's alias comes first, then the event, and with it the audit entry and the row. A process that dies in
between leaves an alias that the log has not heard of; `settle` tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.models.events import CATEGORY, STAGED, Staged, Standing, Step, event_row, standing_of
from analytics.models.gate import Finding
from analytics.models.registry import ModelRegistry, Stage
from ares.clock import Clock
from ares.control import AuditEntry, ControlStore, until_it_fits
from ares.errors import UsageError
from ares.model.row import Row
from ares.telemetry import get_logger

log = get_logger(__name__)

STAGES: tuple[Stage, ...] = ("candidate", "challenger", "champion")


@dataclass(slots=True)
class Stages:
    """The steps of one model's versions. `rows` is what the caller writes so that scoring sees it at once.

    Raises `ControlUnavailable`, `OperatingError` (the registry), `UnknownName` (a version that it does not hold).
    """

    control: ControlStore
    registry: ModelRegistry
    clock: Clock
    model: str
    rows: list[Row]

    @property
    def standing(self) -> Standing:
        """Where every version stands now."""
        return standing_of(self.control.read(self._stream))

    def tell(self, version: str, step: Step, reason: str, who: str, run_id: str = "") -> None:
        """Record a step that needs no stage of the registry: registered, refused, demoted."""
        known = run_id or self.standing.run_ids.get(version, "")
        said = Staged(self.model, version, step, reason, who, known)
        entry = AuditEntry(
            "model", who, f"{self.model}@{version}", self.clock.now_ns(), after={"stage": step}, why=reason
        )

        def say() -> None:
            event = STAGED.new(said, self.clock.now_ns())
            seq = len(self.control.read(self._stream))
            row = event_row(said, event.ts_ns, seq + 1)
            self.control.append(self._stream, [event], expected_seq=seq, mirror=[row], audit=[entry])
            self.rows.append(row)

        until_it_fits(self._stream, say)
        log.info("model_staged", model=self.model, version=version, stage=step, who=who, reason=reason)

    def place(self, version: str, stage: Stage, reason: str, who: str) -> None:
        """Make a version candidate, challenger or champion; whoever was champion is demoted."""
        if stage == "champion" and self.standing.champion == version:
            return
        self.registry.point(self.model, stage, version)
        if stage == "champion":
            self.crown(version, reason, who)
        else:
            self.tell(version, stage, reason, who)

    def crown(self, version: str, reason: str, who: str) -> None:
        """Record a champion. Where every good fit becomes one, nothing is decided: the registry hears of it after."""
        before = self.standing.champion
        if before is not None:
            self.tell(before, "demoted", f"{version} took its place", who)
        self.tell(version, "champion", reason, who)

    def decide(self, version: str, findings: Sequence[Finding], stage: Stage, reason: str, who: str) -> bool:
        """Place a version that passed every check; record why another did not. True if it was placed."""
        failed = [finding for finding in findings if not finding.passed]
        if failed:
            self.tell(version, "refused", "; ".join(finding.text for finding in failed), who)
            return False
        self.place(version, stage, reason, who)
        return True

    def rollback(self, reason: str, who: str, to: str | None = None) -> str:
        """Let an earlier champion be champion again: the one before, or one that is named. Raises `UsageError`."""
        standing = self.standing
        earlier = [version for version in standing.champions[:-1] if version != standing.champion]
        if not earlier:
            raise UsageError(f"model = {self.model!r}: no earlier champion. Promote a version instead")
        target = to or earlier[-1]
        if target not in earlier:
            known = ", ".join(dict.fromkeys(reversed(earlier)))
            raise UsageError(f"version = {target!r}: was not champion before. These were: {known}")
        self.registry.point(self.model, "champion", target)
        if standing.champion is not None:
            self.tell(standing.champion, "demoted", reason, who)
        self.tell(target, "rolled_back", reason, who)
        return target

    def settle(self, who: str) -> bool:
        """Tell the log of a champion that only the registry knows; True if there was one."""
        there = self.registry.at(self.model, "champion")
        if there is None or there == self.standing.champion:
            return False
        self.tell(there, "champion", "found in the registry", who)
        return True

    @property
    def _stream(self) -> str:
        return f"{CATEGORY}/{self.model}"
