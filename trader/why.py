"""Why nothing is being traded now, in plain words: one sentence for a strategy and symbol, from its newest decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from trader.decide import NO_DATA
from trader.rows import Decision

REASONS: Mapping[str, str] = {
    "paused": "the strategy rests: {pause}",
    "store_unavailable": "no data: QuestDB did not answer",
    "stopped_out": "its protection closed what it held: it opens again once its signal has wanted out since",
    "unprotected": "what it holds is not protected at the venue, and nothing is bought on top of that",
    "protection_stands": "what protects the position may still stand at the venue: nothing is sold until it is gone",
    "plan_under_way": "what it decided is being carried out in several orders (trading.execution)",
    "plan_over": "what this signal decided was carried out, as far as it went: the next signal decides on the rest",
    "plan_ends": "the order of its last plan may still stand at the venue: nothing is decided until it is gone",
    "order_unknown": "an order of unknown outcome stands in the way until the venue says what became of it",
    "order_open": "an order is under way already",
    "order_stands_already": "the order of this moment was committed before",
    "resting_after_rejection": "it rests for 30 s, for the venue rejected its last order",
    "no_signal": "no signal within the last hour",
    "signal_is_null": "the signal has no value: its inputs had a gap or are not there yet",
    "no_quote": "no quote within the last five minutes",
    "quote_is_not_sane": "the quote makes no sense (bid above ask, or not positive)",
    "stale_signal": "stale data: the signal is {observed} s old, {limit} s are allowed",
    "stale_quote": "stale data: the quote is {observed} s old, {limit} s are allowed",
    "venue_maintenance": "the venue is being worked on, or has announced that it will be",
    "venue_asks_to_wait": "the venue asks to be left alone for a while",
    "symbol_break": "the venue lets this symbol rest",
    "symbol_halt": "the venue halted this symbol",
    "at_target": "at its target",
    "below_rebalance_share": "close enough to its target: the move would be smaller than rebalance_share_min",
    "below_cost_min": "the move to its target would be smaller than the venue's least order",
    "instrument_stale": "the venue's steps of this symbol are not known well enough to buy",
    "TradingStateRule": "the trading state {state} does not allow this order",
}
"""By a decision's reason; what is not here is told by its rule or as it stands."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What is told of a decision; figures as text, as rows and messages have them."""

    strategy: str
    symbol: str
    action: str
    reason: str
    state: str
    at: str
    observed: str = ""
    limit: str = ""
    unit: str = ""
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds for all strategies: the state, who said it and why; who rests; whether this trader may trade."""

    state: str
    actor: str
    reason: str
    since: str
    maintenance: bool = False
    announced: str = ""
    """What the venue said that it will be worked on, in words; only the trader itself knows it."""
    ready: bool = True
    leader: bool = True
    pauses: Mapping[str, str] = field(default_factory=dict)


def decided(decision: Decision, at: str) -> Decided:
    """A decision as it is told."""
    refusal = decision.refusal
    return Decided(
        strategy=decision.strategy,
        symbol=decision.symbol,
        action=decision.action,
        reason=decision.reason,
        state=decision.state,
        at=at,
        observed="" if refusal is None or refusal.observed is None else figure(refusal.observed),
        limit="" if refusal is None else figure(refusal.limit),
        unit="" if refusal is None else refusal.unit,
        order_id=decision.client_order_id or "",
    )


def figure(value: Decimal) -> str:
    """A figure for people: at most four digits after the point, no zeros at the end."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return text or "0"


def general(now: Circumstances) -> list[str]:
    """What keeps all strategies from trading."""
    said: list[str] = []
    if not now.leader:
        said.append("this trader does not lead: another process holds the lease, or it waits for it")
    elif not now.ready:
        said.append("this trader is not ready: it reconciles with the venue first")
    if now.state != "ACTIVE":
        said.append(f"{now.state} since {now.since} by {now.actor}: {now.reason or 'no reason given'}")
    elif now.maintenance:
        said.append("maintenance: somebody works on the platform, nothing is bought meanwhile")
    if now.announced:
        said.append(now.announced)
    return said


def sentence(seen: Decided | None, now: Circumstances, strategy: str) -> str:
    """Why nothing is being traded for a strategy and symbol; its newest decision is `seen`."""
    said = general(now)
    if strategy in now.pauses and (seen is None or seen.reason != "paused"):
        said.append(f"the strategy rests: {now.pauses[strategy]}")
    if seen is None:
        said.append("nothing was decided yet")
        return "; ".join(said)
    if seen.action in ("buy", "sell"):
        said.append(f"it trades: {seen.action} by order {seen.order_id}")
    else:
        said.append(_of(seen, now.pauses.get(strategy, "see the events of strategy_pause")))
    return "; ".join(said)


def _of(seen: Decided, pause: str) -> str:
    words = REASONS.get(seen.reason)
    if words is not None:
        return words.format(observed=seen.observed, limit=seen.limit, state=seen.state, pause=pause)
    if seen.action == "refuse" and seen.reason.startswith(NO_DATA):
        return f"the limit {seen.reason.removeprefix(NO_DATA)} refuses: what it looks at is not known now"
    if seen.action == "refuse":
        return f"the limit {seen.reason} refuses: {seen.observed} {seen.unit}, allowed are {seen.limit}"
    return seen.reason
