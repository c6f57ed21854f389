"""What the trader is, holds and waits for, as it tells it to people."""

from __future__ import annotations

from collections.abc import Callable

from ares.clock import isoformat
from ares.control import Json
from trader.account import Account
from trader.command_log import Outcome
from trader.execution.lease import Leadership
from trader.execution.pauses import StrategyPauses
from trader.execution.plans import Plans
from trader.execution.state import TradingStates


class Standing:
    """Tells it anew with each call."""

    def __init__(
        self,
        account: Account,
        states: TradingStates,
        pauses: StrategyPauses,
        leadership: Leadership,
        *,
        plans: Plans,
        is_ready: Callable[[], bool],
    ) -> None:
        self._account = account
        self._states = states
        self._pauses = pauses
        self._leadership = leadership
        self._plans = plans
        self._is_ready = is_ready

    async def tell(self) -> Outcome:
        """State, rests, lease, orders, plans, positions, profit, cash."""
        worth = self._account.worth()
        return {
            **await self.head(),
            "orders_open": self._orders(),
            "plans": self._plans_told(),
            "positions": self._positions(),
            "pnl_quote": {
                "realised": f"{worth.realised_quote:f}",
                "realised_fifo": f"{worth.realised_fifo_quote:f}",
                "funding": f"{worth.funding_quote:f}",
                "unrealised": f"{worth.unrealised_quote:f}",
                "day": f"{self._account.day_pnl_quote:f}",
            },
            "cash": f"{self._account.cash.total:f}",
            "capital": f"{self._account.parts.capital.quote:f}",
            "venue_rates": [
                {"kind": rate.kind, "interval_s": rate.interval_s, "used": used, "limit": limit}
                for rate, used, limit in self._account.parts.gateway.rates()
            ],
        }

    async def head(self) -> Outcome:
        """Whose trader this is, and whether it trades."""
        state = await self._states.refresh()
        await self._pauses.refresh()
        lease = self._leadership.lease
        return {
            "account": self._account.parts.who.account,
            "venue": self._account.parts.who.venue,
            "state": state.state.value,
            "state_reason": state.reason,
            "state_actor": state.actor,
            "state_since": isoformat(state.ts_ns),
            "maintenance": self._states.in_maintenance,
            "paused": {
                name: {"actor": pause.actor, "reason": pause.reason, "since": isoformat(pause.ts_ns)}
                for name, pause in sorted(self._pauses.paused.items())
            },
            "ready": self._is_ready(),
            "color": self._leadership.color,
            "leader": lease is not None,
            "lease_expires_at": None if lease is None else isoformat(lease.expires_at_ns),
        }

    def _orders(self) -> list[Json]:
        return [
            {
                "order_id": order.intent.order_id,
                "symbol": order.intent.symbol,
                "strategy": order.intent.strategy,
                "side": order.intent.side,
                "state": order.state.value,
                "quantity": f"{order.quantity:f}",
                "filled": f"{order.filled_quantity:f}",
            }
            for order in self._account.parts.desk.orders()
        ]

    def _plans_told(self) -> list[Json]:
        return [
            {
                "plan_id": plan.plan_id,
                "symbol": plan.symbol,
                "strategy": plan.strategy,
                "policy": plan.policy.name,
                "side": plan.side,
                "quantity": f"{plan.quantity:f}",
                "ends_at": isoformat(plan.ends_at_ns),
                "ending": ending or None,
            }
            for plan, ending in self._plans.under_way()
        ]

    def _positions(self) -> list[Json]:
        found: list[Json] = []
        for position in self._account.parts.ledger.portfolio.positions():
            mark = self._account.mark(position.symbol)
            unrealised = None if mark is None else f"{position.unrealised_quote(mark):f}"
            found.append(
                {
                    "symbol": position.symbol,
                    "strategy": position.strategy,
                    "quantity": f"{position.quantity:f}",
                    "average_price": f"{position.average_price:f}",
                    "mark": None if mark is None else f"{mark:f}",
                    "realised_quote": f"{position.realised_quote:f}",
                    "unrealised_quote": unrealised,
                }
            )
        return found
