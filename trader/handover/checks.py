"""Whether a trader may take over, from what was seen to what it means. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from ares.clock import isoformat
from ares.control import Lease
from ares.service.doctor import Finding
from trader.handover.log import Leading, color_of
from trader.handover.settings import differing
from trader.handover.turn import Self
from trader.risk import TradingState

ALWAYS = frozenset({"leader", "agreement", "venue", "key", "book"})
"""What nobody may take over despite of."""
SETTINGS_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class BookSeen:
    """What the candidate has of the account. `behind`: entries of the log that it has not read; `short`: coins of which
    the venue shows it less than the book has, or other positions of contracts.
    """

    entries: int
    behind: int
    orders_open: int
    short: Sequence[str]


def leader(leading: Leading, lease: Lease | None, now_ns: int, own: str) -> Finding:
    """Whether there is somebody else to take over from, who knows how to let go."""
    if lease is None or lease.expires_at_ns <= now_ns:
        return Finding("leader", "fail", "nobody leads", f"Wait: a trader that stands by, {own} too, takes the lease")
    color, said = color_of(lease.holder), leading.leader
    if color == own:
        return Finding("leader", "ok", f"{own} leads already, under lease {lease.token}")
    if not color or said is None or said.fencing != lease.token:
        way_out = "It is of a release that knows no hand-over: stop it, and who stands by leads"
        return Finding("leader", "fail", f"{lease.holder} holds the lease and said nothing", way_out)
    if not leading.ready:
        way_out = "Wait until it has reconciled, or `ares deploy rollback`"
        return Finding("leader", "fail", f"{color} holds the lease and does not trade yet", way_out)
    return Finding("leader", "ok", f"{color} leads since {isoformat(leading.taken_at_ns)}, under lease {lease.token}")


def release(leading: Leading, candidate: Self) -> Finding:
    """Which release takes over from which: an older one may not know what the newer one wrote."""
    own = f"{candidate.release} (migrations to {candidate.schema_level})"
    if leading.leader is None:
        return Finding("release", "ok", own)
    said = leading.leader
    observed = f"{own}, after {said.release} (migrations to {said.schema_level})"
    if candidate.schema_level < said.schema_level:
        way_out = "It is the older one: fine as a way back, as long as no post migration of the newer one ran"
        return Finding("release", "warn", observed, way_out)
    return Finding("release", "ok", observed)


def settings(leading: Leading, own: Mapping[str, str], meant: Collection[str]) -> Finding:
    """Whether both trade by the same settings, but for those that are `meant` to differ."""
    if leading.leader is None:
        return Finding("settings", "skip", "nobody led yet")
    apart = differing(leading.leader.settings, own)
    told = [f"{path}: {there} there, {here} here" for path, there, here in apart]
    unmeant = [path for path, _, _ in apart if not any(path == each or path.startswith(f"{each}.") for each in meant)]
    more = len(told) - SETTINGS_SHOWN_MAX
    observed = "; ".join(told[:SETTINGS_SHOWN_MAX]) + (f"; and {more} more" if more > 0 else "")
    if unmeant:
        way_out = f"Give both the same, or --despite {unmeant[0]} where that is meant"
        return Finding("settings", "fail", observed, way_out)
    return Finding("settings", "ok", observed or f"the same {len(own)}")


def strategies(pairs: Sequence[tuple[str, str]]) -> Finding:
    """What would be traded."""
    if not pairs:
        return Finding("strategies", "fail", "none", "Set trading.strategies")
    return Finding("strategies", "ok", ", ".join(f"{strategy} {symbol}" for strategy, symbol in pairs))


def venue(trouble: str, obstacles: Mapping[str, str]) -> Finding:
    """Whether the venue answers the candidate, and lets its symbols trade."""
    if trouble:
        return Finding("venue", "fail", trouble, "From its machine: is the venue reachable, are its keys right?")
    if obstacles:
        said = "; ".join(f"{symbol}: {why}" for symbol, why in obstacles.items())
        return Finding("venue", "warn", said, "Neither trader can trade these now")
    return Finding("venue", "ok", "it answers")


def key(problem: str) -> Finding:
    """Whether the venue's key may trade and do nothing worse."""
    if problem:
        return Finding("key", "fail", problem, "A key that may trade and not withdraw")
    return Finding("key", "ok", "it may trade, and not withdraw, as far as the venue tells")


def book(seen: BookSeen) -> Finding:
    """Whether the candidate has what the leader wrote, and the venue shows it as much."""
    observed = f"{seen.entries} entries, {seen.orders_open} open orders"
    if seen.behind > 0:
        way_out = "Wait some seconds: it reads them every second"
        return Finding("book", "fail", f"{observed}; {seen.behind} entries of the log are not read", way_out)
    if seen.short:
        way_out = "Its keys are of another account, or `ares trader status` says why trading only reduces"
        return Finding("book", "fail", f"{observed}; the venue shows {'; '.join(seen.short)}", way_out)
    return Finding("book", "ok", f"{observed}, as the log has them; the venue has the coins")


def database(trouble: str, ages_s: Mapping[str, float | None], age_s_max: float) -> Finding:
    """Whether the candidate sees the market as it is now."""
    if trouble:
        return Finding("database", "fail", trouble, "From its machine: is QuestDB reachable, is its user right?")
    old = {
        symbol: "no quote" if age is None else f"{age:.1f} s"
        for symbol, age in ages_s.items()
        if age is None or age > age_s_max
    }
    if old:
        said = ", ".join(f"{symbol} {age}" for symbol, age in old.items())
        way_out = f"Older than trading.risk.quote_age_s_max ({age_s_max:g} s): does the collector run?"
        return Finding("database", "fail", f"newest quotes: {said}", way_out)
    newest = ", ".join(f"{symbol} {age:.1f} s" for symbol, age in ages_s.items() if age is not None)
    return Finding("database", "ok", f"newest quotes: {newest}")


def state(current: TradingState, actor: str, reason: str) -> Finding:
    """A hand-over changes no state: who takes over while it is HALTED is HALTED."""
    if current is TradingState.ACTIVE:
        return Finding("state", "ok", current.value)
    way_out = "It stays so. `ares trader resume` when that is over"
    return Finding("state", "warn", f"{current.value} by {actor}: {reason}", way_out)


def agreement(obstacle: str | None) -> Finding:
    """Whether two people have agreed to what the candidate would trade, where money moves."""
    if obstacle is None:
        return Finding("agreement", "ok", "no money moves, or two people have agreed")
    return Finding("agreement", "fail", obstacle, "ares trader live request, and another person's approve")


def despite(findings: Sequence[Finding], meant: Collection[str]) -> list[Finding]:
    """The same, where people who know of it take over despite of what failed; some checks nobody overrules."""
    return [
        replace(each, status="warn", way_out="Overruled by --despite")
        if each.status == "fail" and each.check in meant and each.check not in ALWAYS
        else each
        for each in findings
    ]


def shorter(book_base: Mapping[str, Decimal], there: Mapping[str, Decimal], steps: Mapping[str, Decimal]) -> list[str]:
    """Coins of which there are fewer than the book has, by more than a lot."""
    return [
        f"{there.get(coin, Decimal(0)):f} {coin} of {held:f}"
        for coin, held in sorted(book_base.items())
        if held - there.get(coin, Decimal(0)) > steps.get(coin, Decimal(0))
    ]
