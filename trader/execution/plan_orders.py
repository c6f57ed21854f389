"""What a plan is made of, and its orders: from a decision and the settings, named so that doing it twice is one."""

from __future__ import annotations

from decimal import Decimal

from ares.clock import NANOS_PER_SECOND
from ares.config.trading import TradingConfig
from trader.execution.ids import DecisionName, client_order_id
from trader.portfolio.orders import Intent
from trader.portfolio.plans import Child, ExecutionPolicy, Plan, PolicyName, ends_at_ns
from trader.portfolio.sizing import Move
from trader.rows import Decision, Identity


def plan_of(
    who: Identity, decision: Decision, move: Move, policy: ExecutionPolicy, slot_ns: int, *, reduces: bool
) -> Plan:
    """The plan of a decision to buy or sell."""
    assert move.side is not None, "an order has a side"
    assert decision.client_order_id is not None, "an order has an id"
    assert decision.mark is not None, "an order was sized by a mark"
    assert decision.signal_known_at_ns is not None, "a decision rests on a signal"
    return Plan(
        plan_id=decision.client_order_id,
        account=who.account,
        venue=who.venue,
        symbol=decision.symbol,
        strategy=decision.strategy,
        version=decision.version,
        side=move.side,
        quantity=move.quantity,
        mark=decision.mark,
        reduces=reduces,
        policy=policy,
        slot_ns=slot_ns,
        cycle_id=decision.cycle_id,
        correlation_id=decision.correlation_id,
        trace_id=decision.trace_id,
        signal_known_at_ns=decision.signal_known_at_ns,
        decided_at_ns=decision.ts_ns,
        ends_at_ns=ends_at_ns(policy, decision.signal_known_at_ns, decision.ts_ns),
    )


def child_id(plan: Plan, number: int) -> str:
    """The id of a plan's order; that of the first is the decision's."""
    name = DecisionName(plan.account, plan.strategy, plan.version, plan.symbol, plan.slot_ns, "signal", number)
    return client_order_id(name)


def child_intent(plan: Plan, number: int, child: Child, mark: Decimal, now_ns: int) -> Intent:
    return Intent(
        order_id=child_id(plan, number),
        account=plan.account,
        venue=plan.venue,
        symbol=plan.symbol,
        strategy=plan.strategy,
        version=plan.version,
        side=plan.side,
        type=child.type,
        time_in_force=child.time_in_force,
        quantity=child.quantity,
        price=child.price,
        mark=mark,
        source="signal",
        cycle_id=plan.cycle_id,
        correlation_id=plan.correlation_id,
        decided_at_ns=now_ns,
        # How fast a decision left is said by its first order alone.
        signal_known_at_ns=plan.signal_known_at_ns if number == 0 else None,
        trace_id=plan.trace_id,
    )


def policies_of(config: TradingConfig) -> dict[str, ExecutionPolicy]:
    """The settings of execution by strategy; those that send one order a decision are left out."""
    found: dict[str, ExecutionPolicy] = {}
    for strategy in config.strategies:
        said = config.execution if strategy.execution is None else strategy.execution
        if said.policy == "ioc":
            continue
        name: PolicyName = said.policy
        found[strategy.name] = ExecutionPolicy(
            name=name,
            patience_ns=round(said.patience_s * NANOS_PER_SECOND),
            follow_share=said.follow_share,
            follow_ns_min=round(said.follow_s_min * NANOS_PER_SECOND),
            gives_up=said.then == "give_up",
            slices=said.slices,
            over_ns=round(said.over_s * NANOS_PER_SECOND),
            visible_share=said.visible_share,
            slippage_max=config.slippage_max,
        )
    return found
