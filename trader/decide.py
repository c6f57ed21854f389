"""One decision for one strategy and symbol: a pure function of what was seen. Every way out has a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from ares.clock import NANOS_PER_SECOND
from trader.portfolio.legs import only_closes
from trader.portfolio.money import floor_to, from_market
from trader.portfolio.positions import is_linear
from trader.portfolio.sizing import Grid, Move, SizingPolicy, size
from trader.reader import QuoteSeen, SignalSeen
from trader.risk import Candidate, Refused, RiskRules, RiskState, Warned

NO_DATA = "no data for "
"""Before the name of a rule that refused because what it looks at is not known."""

Action = Literal["buy", "sell", "hold", "refuse", "skip"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is known about one strategy and symbol. `obstacle`: a reason not even to look, for example an open order."""

    strategy: str
    symbol: str
    now_ns: int
    held: Decimal
    grid: Grid
    sizing: SizingPolicy
    signal: SignalSeen | None
    quote: QuoteSeen | None
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to do and why; `move` once it was sized, `refusal` when a rule said no."""

    action: Action
    reason: str
    move: Move | None = None
    refusal: Refused | None = None
    warnings: tuple[Warned, ...] = ()
    scale: Decimal | None = None


def decide(inputs: Inputs, rules: RiskRules, risk_state: Callable[[SignalSeen, QuoteSeen], RiskState]) -> Outcome:
    """Skip what cannot be judged, hold what is at its target, refuse what a limit forbids, else buy or sell."""
    unready = _unready(inputs)
    if unready is not None:
        return Outcome("skip", unready)
    signal, quote = inputs.signal, inputs.quote
    assert signal is not None, "checked above"
    assert signal.target is not None, "checked above"
    assert quote is not None, "checked above"
    stale = _stale(inputs, signal, quote, rules)
    if stale is not None:
        return stale
    target = from_market(signal.target)
    move = size(target, inputs.held, quote.mark, inputs.grid, inputs.sizing, shorts=is_linear(inputs.symbol))
    if move.side is None:
        return Outcome("hold", move.reason, move)
    state = risk_state(signal, quote)
    candidate = Candidate(inputs.strategy, inputs.symbol, move.side, move.quantity, move.price)
    fitting = floor_to(rules.fitting(candidate, state), inputs.grid.amount_step)
    if fitting < move.quantity:
        move = replace(move, quantity=fitting, reason="cut_to_liquidity")
        candidate = replace(candidate, quantity=fitting)
        if fitting * min(move.price, quote.mark) < inputs.grid.cost_min:
            return Outcome("hold", "below_cost_min", replace(move, side=None))
    verdict = rules.check(candidate, state)
    if isinstance(verdict, Refused):
        return Outcome("refuse", refusal_reason(verdict), move, verdict)
    return Outcome(candidate.side, move.reason, move, warnings=rules.warnings(candidate, state))


def refusal_reason(refusal: Refused) -> str:
    """The rule's name, and whether it only lacked what it looks at."""
    return refusal.rule if refusal.observed is not None else NO_DATA + refusal.rule


def _unready(inputs: Inputs) -> str | None:
    """Why nothing can be decided, if so."""
    if inputs.obstacle is not None:
        return inputs.obstacle
    if inputs.signal is None:
        return "no_signal"
    if inputs.signal.target is None:
        return "signal_is_null"
    if inputs.quote is None:
        return "no_quote"
    return None if inputs.quote.sane else "quote_is_not_sane"


def age_s(now_ns: int, then_ns: int) -> Decimal:
    """Seconds between two moments, exact."""
    return Decimal(now_ns - then_ns) / NANOS_PER_SECOND


def _stale(inputs: Inputs, signal: SignalSeen, quote: QuoteSeen, rules: RiskRules) -> Outcome | None:
    """Data that is too old is a reason to skip, before anything is sized by it."""
    verdict = rules.stale_signal.check_age(age_s(inputs.now_ns, signal.known_at_ns))
    if isinstance(verdict, Refused):
        return Outcome("skip", "stale_signal", refusal=verdict)
    verdict = rules.stale_quote.check_age(age_s(inputs.now_ns, quote.received_at_ns))
    if isinstance(verdict, Refused):
        return Outcome("skip", "stale_quote", refusal=verdict)
    return None


def opens(symbol: str, held: Decimal, outcome: Outcome) -> bool:
    """Whether something is to be sent that does more than close what is held."""
    if outcome.action not in ("buy", "sell") or outcome.move is None:
        return False
    return not only_closes(symbol, held, outcome.action, outcome.move.quantity)
