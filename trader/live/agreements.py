"""Two people agree to trade with real money: one asks, another one approves, either may take it back.

Stream `live/<account>`. An agreement is about terms (`trader.live.settings.Terms`): with others it does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from ares.clock import Clock
from ares.control import AuditEntry, ControlStore, Json, until_it_fits
from ares.errors import UsageError
from ares.events.types import Origin
from trader.events import LIVE, REGISTRY, LiveSaid
from trader.live.settings import Terms

State = Literal["nothing", "requested", "approved"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two people are, about which terms; `requested_by` and `approved_by` are empty where nobody did."""

    state: State = "nothing"
    terms: str = ""
    requested_by: str = ""
    approved_by: str = ""
    seq: int = 0

    def covers(self, terms: Terms) -> bool:
        """Whether these terms may be traded."""
        return self.state == "approved" and self.terms == terms.digest


class Agreements:
    """The agreement of one account. Every method raises `ControlUnavailable` if the store cannot be reached.

    Keep it where it is asked often: it reads only what was said since.
    """

    def __init__(self, control: ControlStore, account: str, clock: Clock) -> None:
        self._control = control
        self._account = account
        self._stream = f"live/{account}"
        self._clock = clock
        self._agreement = Agreement()

    def current(self) -> Agreement:
        """What was agreed until now."""
        for stored in self._control.stream(self._stream, self._agreement.seq):
            said = REGISTRY.read(stored).body
            assert isinstance(said, LiveSaid), "nothing else is in this stream"
            self._agreement = after(self._agreement, said, stored.seq)
        return self._agreement

    def request(self, terms: Terms, who: str, why: str) -> Agreement:
        """Ask for these terms, in place of any before."""
        return self._say(lambda _: LiveSaid("requested", terms.digest, who, why), terms.as_json())

    def approve(self, terms: Terms, who: str, why: str) -> Agreement:
        """Agree to what somebody else asked for. Raises `UsageError` if nobody did, or for other terms."""

        def said(before: Agreement) -> LiveSaid:
            if before.state == "nothing" or before.terms != terms.digest:
                raise UsageError(
                    f"terms = {terms.digest}: nobody asked for these. `ares trader live request` does, "
                    "with the settings as they are now"
                )
            if before.requested_by == who:
                raise UsageError(f"who = {who!r}: asked for it. Another person has to agree")
            return LiveSaid("approved", terms.digest, who, why)

        return self._say(said, terms.as_json())

    def withdraw(self, who: str, why: str) -> Agreement:
        """Take back what was asked for or agreed to; any one person may."""
        return self._say(lambda before: LiveSaid("withdrawn", before.terms, who, why), {})

    def _say(self, said_after: Callable[[Agreement], LiveSaid], terms: Mapping[str, Json]) -> Agreement:
        def say() -> Agreement:
            before = self.current()
            said, now_ns = said_after(before), self._clock.now_ns()
            entry = AuditEntry(
                writer=f"trader/{self._account}",
                who=said.who,
                what="live",
                ts_ns=now_ns,
                before={"state": before.state, "terms": before.terms},
                after={"state": said.state, "terms": said.terms, **terms},
                why=said.why,
            )
            event = LIVE.new(said, now_ns, Origin(attributes={"account": self._account}))
            self._control.append(self._stream, [event], expected_seq=before.seq, audit=[entry])
            return self.current()

        return until_it_fits(self._stream, say)


def after(before: Agreement, said: LiveSaid, seq: int) -> Agreement:
    """The agreement after something was said."""
    match said.state:
        case "requested":
            return Agreement("requested", said.terms, requested_by=said.who, seq=seq)
        case "approved":
            return Agreement("approved", said.terms, before.requested_by, said.who, seq)
        case "withdrawn":
            return Agreement(seq=seq)
