"""After a restore the journal is older than the venue: nothing is traded until a person has looked."""

from __future__ import annotations

from ares.control import ControlStore
from ares.service.types import ServiceContext
from trader.execution.state import RESTORE, TradingStates
from trader.risk import TradingState

PREFIX = "trading_state/"


async def hold(context: ServiceContext, control: ControlStore, why: str) -> list[str]:
    """HALT the accounts of the journal and the configured one, with an audit entry each."""
    accounts = {stream.removeprefix(PREFIX) for stream in control.streams(PREFIX)} | {context.config.trading.account}
    for account in sorted(accounts):
        states = TradingStates(control, account, context.clock)
        await states.change(TradingState.HALTED, RESTORE, why, context.clock.now_ns())
    return [f"account {account} is HALTED" for account in sorted(accounts)]
