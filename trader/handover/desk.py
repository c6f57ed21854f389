"""What a trader says and is ordered about hand-overs, whether it leads or stands by. None of it needs the leader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

from ares import __version__
from ares.clock import NANOS_PER_SECOND
from ares.config.trading import TradingConfig
from ares.control import Json, Lease
from ares.errors import ConfigError, UsageError, VenueError
from ares.service.doctor import Finding
from ares.service.types import Health
from ares.store.migrations import schema_level
from ares.telemetry import metrics
from trader.account import Account
from trader.command_log import Command, CommandLog, Order, Outcome
from trader.contracts import differences
from trader.cycle import Cycle
from trader.execution.journal import OrderJournal
from trader.execution.lease import Leadership
from trader.execution.limits import SetLimits
from trader.execution.state import TradingStates
from trader.handover import checks
from trader.handover.events import End
from trader.handover.log import Asking, HandoverLog, Wish, color_of, lease_name
from trader.handover.standby import Standby, StandbyParts
from trader.handover.turn import Self, Turn
from trader.limits_configured import limits
from trader.live.gate import Gate, require_harmless_key
from trader.parts import TraderParts
from trader.portfolio.money import ZERO
from trader.portfolio.positions import is_linear

LOOKS = 6
LOOK_AGAIN_S = 0.3
"""Fills come while book and venue are compared: what differs once differs in every look, or was on its way."""
BLIND = frozenset({"no_quote", "stale_quote", "quote_is_not_sane", "store_unavailable"})
"""Decisions that say that the market was not seen."""


class NotFit(UsageError):
    """The trader that should take over is not fit to: its checks say why."""

    code = "not_fit"


@dataclass(frozen=True, slots=True)
class HandoverParts:
    """What hand-overs are judged by. `settings`, `config`: as they are now; `health`: whether it trades, or why not."""

    trader: TraderParts
    account: Account
    states: TradingStates
    limits: SetLimits
    leadership: Leadership
    gate: Gate
    symbols: Sequence[str]
    cycle: Cycle
    config: Callable[[], TradingConfig]
    settings: Callable[[], Mapping[str, str]]
    health: Callable[[], Health]


class HandoverDesk:
    """Answers `verify`, `switch`, `rollback` and `told` at the control port of each trader.

    `standby` and `turn` are what it speaks of.
    """

    def __init__(self, parts: HandoverParts) -> None:
        self._parts = parts
        trader, account = parts.trader, parts.account
        self._clock, self._control = trader.clock, trader.control
        self._account = account.parts.who.account
        self._record = CommandLog(self._control, self._account, self._clock)
        self._seen = OrderJournal(self._control, self._account)
        """Of its own: what stands by reads orders, and looks after none."""
        self._said = HandoverLog(self._control, self._account, self._clock)
        self._about = Self(trader.color, trader.instance, __version__, schema_level())
        self.standby = Standby(
            StandbyParts(account, parts.states, parts.limits, trader.reader, parts.symbols, parts.config)
        )
        said = HandoverLog(self._control, self._account, self._clock)
        self.turn = Turn(parts.leadership, said, self._clock, self._about, parts.settings)

    async def verify(self, meant: Collection[str]) -> Outcome:
        """Whether this trader may take over: every check, with what was seen and what to do.

        `meant` are checks, and settings, that people know of.
        """
        findings = await self._findings(meant)
        return {
            "account": self._account,
            "color": self._about.color,
            "fit": not any(each.status == "fail" for each in findings),
            "checks": [asdict(each) for each in findings],
        }

    async def switch(self, order: Order, meant: Collection[str]) -> Outcome:
        """Want this trader to lead. Raises `NotFit`, `UsageError` while another one is wanted."""

        async def work(_: str) -> Outcome:
            own = self._about.color
            wish = (await self._said.refresh()).open_wish
            asked_already = wish is not None and wish.asked.to == own and wish.stands(self._clock.now_ns())
            if not asked_already and not self._leads():
                failed = [each for each in await self._findings(meant) if each.status == "fail"]
                if failed:
                    why = "; ".join(f"{each.check}: {each.observed}" for each in failed)
                    raise NotFit(f"to = {own!r}: not fit to lead: {why}. See ares deploy verify --color {own}")
            return await self._want(Asking("switch", own, order.actor, order.reason))

        about: dict[str, Json] = {"to": self._about.color, "despite": [*sorted(meant)]}
        return await self._record.recorded(Command("switch", order, about), work)

    async def rollback(self, order: Order, to: str) -> Outcome:
        """Want the trader of a colour to lead, however it or the one that leads is."""

        async def work(_: str) -> Outcome:
            return await self._want(Asking("rollback", to, order.actor, order.reason))

        return await self._record.recorded(Command("rollback", order, {"to": to}), work)

    async def end(self, order: Order, handover_id: str, end: End) -> Outcome:
        """Note what became of a hand-over that somebody watched."""
        return {"noted": await self._said.ended(handover_id, end, order.actor, order.reason)}

    async def told(self) -> Outcome:
        """Who leads, who is wanted to, and how this trader is."""
        now_ns = self._clock.now_ns()
        leading = await self._said.refresh()
        held, kept = await self._lease()
        wish, own, health = leading.wish, self._about, self._parts.health()
        return {
            "account": self._account,
            "color": own.color,
            "release": own.release,
            "schema_level": own.schema_level,
            "leads": self._leads(),
            "ready": health.ready,
            "doing": "trading" if health.ready else health.detail,
            "leader": "" if held is None or held.expires_at_ns <= now_ns else color_of(held.holder),
            "fencing": 0 if held is None else held.token,
            "lease_s": _left_s(held, now_ns),
            "kept_for": kept.holder if kept is not None and kept.expires_at_ns > now_ns else "",
            "kept_s": _left_s(kept, now_ns),
            "way_back": leading.way_back,
            "wish": None if wish is None else self._wish_told(wish),
            "figures": self._figures(now_ns),
        }

    async def _want(self, asking: Asking) -> Outcome:
        if self._leads() and asking.to == self._about.color:
            return {"to": asking.to, "leads": True, "handover_id": ""}
        wish = await self._said.ask(asking, self._parts.config().lease_s)
        return {"to": asking.to, "leads": False, "handover_id": wish.asked.handover_id}

    def _leads(self) -> bool:
        lease = self._parts.leadership.lease
        return lease is not None and lease.expires_at_ns > self._clock.now_ns()

    async def _lease(self) -> tuple[Lease | None, Lease | None]:
        return await asyncio.to_thread(self._control.lease, lease_name(self._account))

    def _wish_told(self, wish: Wish) -> Outcome:
        asked, released = wish.asked, wish.released
        return {
            "handover_id": asked.handover_id,
            "kind": asked.kind,
            "to": asked.to,
            "actor": asked.actor,
            "reason": asked.reason,
            "open": wish.stands(self._clock.now_ns()) and not wish.taken_at_ns,
            "quiet": None if released is None else released.quiet,
            "let_go_ms": None if released is None else released.after_ms,
            "taken_ms": _after_ms(wish, wish.taken_at_ns),
            "ready_ms": _after_ms(wish, wish.ready_at_ns),
            "end": "" if wish.end is None else wish.end.end,
        }

    async def _findings(self, meant: Collection[str]) -> list[Finding]:
        parts, now_ns = self._parts, self._clock.now_ns()
        leading = await self._said.refresh()
        held, _ = await self._lease()
        state = await parts.states.refresh()
        await self.standby.ask_venue()
        found = [
            checks.leader(leading, held, now_ns, self._about.color),
            checks.release(leading, self._about),
            checks.settings(leading, parts.settings(), meant),
            checks.strategies(parts.cycle.pairs),
            checks.agreement(await parts.gate.obstacle()),
            checks.venue(self.standby.venue_trouble, self._obstacles()),
            checks.key(await self._key_problem()),
            checks.book(await self._book_seen()),
            await self._database(),
            *await parts.trader.outside.findings(),
            checks.state(state.state, state.actor, state.reason),
        ]
        return checks.despite(found, meant)

    async def _database(self) -> Finding:
        """Read anew: what was looked at before may have waited for the venue meanwhile."""
        standby = self.standby
        await standby.ask_store()
        now_ns = self._clock.now_ns()
        ages_s = {symbol: standby.quote_age_s(symbol, now_ns) for symbol in self._parts.symbols}
        age_s_max = float(limits(self._parts.config()).quote_age_s_max)
        return checks.database(standby.store_trouble, ages_s, age_s_max)

    def _obstacles(self) -> dict[str, str]:
        gateway = self._parts.account.parts.gateway
        told = {symbol: gateway.obstacle(symbol) for symbol in self._parts.symbols}
        return {symbol: why for symbol, why in told.items() if why is not None}

    async def _key_problem(self) -> str:
        parts = self._parts
        rights, venue = parts.account.parts.gateway.rights(), parts.account.parts.who.venue
        try:
            await require_harmless_key(rights, venue, real=parts.gate.terms is not None)
        except (ConfigError, VenueError) as error:
            return str(error)
        return ""

    async def _book_seen(self) -> checks.BookSeen:
        """Looked at until nothing was booked meanwhile, or often enough."""
        account = self._parts.account
        ledger, stream = account.parts.ledger, f"fills/{self._account}"
        seen = checks.BookSeen(ledger.seq, 0, 0, ())
        for _ in range(LOOKS):
            await self.standby.read_book()
            behind = len(await asyncio.to_thread(self._control.read, stream, ledger.seq))
            orders = await self._seen.load()
            seen = checks.BookSeen(ledger.seq, behind, len(orders), await self._short())
            if not seen.behind and not seen.short:
                break
            await self._clock.sleep(LOOK_AGAIN_S)
        return seen

    async def _short(self) -> Sequence[str]:
        """Coins and contracts that the venue shows less of, or others, than the book has; by the candidate's keys."""
        account = self._parts.account
        portfolio, gateway = account.parts.ledger.portfolio, account.parts.gateway
        try:
            there = {coin: balance.total for coin, balance in (await gateway.balances()).items()}
            contracts = differences(portfolio, await gateway.positions())
        except VenueError as error:
            return [f"nothing: {error}"]
        held: dict[str, Decimal] = {}
        steps: dict[str, Decimal] = {}
        for position in portfolio.positions():
            if not is_linear(position.symbol):
                coin, grid = position.symbol.partition("/")[0], account.grid(position.symbol)
                held[coin] = held.get(coin, ZERO) + position.quantity
                steps[coin] = max(steps.get(coin, ZERO), ZERO if grid is None else grid.amount_step)
        apart = [f"{theirs:f} {symbol} of {ours:f}" for symbol, (ours, theirs) in contracts.items()]
        return [*checks.shorter(held, there, steps), *apart]

    def _figures(self, now_ns: int) -> Outcome:
        """Of this process' own metrics, and of what its last cycle decided."""
        newest = self._parts.cycle.newest
        decided_ns = max((each.ts_ns for each in newest), default=0)
        cycles = {
            sample.labels["outcome"]: sample.value
            for family in metrics.TRADER_CYCLES.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        }
        broken = [
            sample.labels["guard"]
            for family in metrics.BREAKER_STATE.collect()
            for sample in family.samples
            if sample.labels["state"] == "open" and sample.value
        ]
        return {
            "cycles_ok": int(cycles.pop("ok", 0)),
            "cycles_failed": int(sum(cycles.values())),
            "breakers_open": [*sorted(broken)],
            "decided_s": round((now_ns - decided_ns) / NANOS_PER_SECOND, 3) if decided_ns else None,
            "blind": [f"{each.symbol}: {each.reason}" for each in newest if each.reason in BLIND],
            "in_doubt": self._parts.account.parts.desk.in_doubt,
        }


def _left_s(lease: Lease | None, now_ns: int) -> float:
    return 0.0 if lease is None else round(max(0, lease.expires_at_ns - now_ns) / NANOS_PER_SECOND, 3)


def _after_ms(wish: Wish, at_ns: int) -> int | None:
    return round((at_ns - wish.asked_at_ns) / 1_000_000) if at_ns else None
