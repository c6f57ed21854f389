"""Executions that the venue itself ordered on our account: liquidations and automatic deleveraging."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from trader.portfolio.legs import way_out
from trader.portfolio.positions import Execution

FORCED = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
"""How the client ids of such orders begin at Binance's futures
(https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Order-Update).
"""


def is_forced(client_order_id: str) -> bool:
    """Whether the venue gave an order for us, by its client id."""
    return client_order_id.startswith(FORCED)


def bearer(execution: Execution, held: Mapping[str, Decimal]) -> str | None:
    """Whose position an execution that was forced closed, of what each strategy holds, in base; None: nobody's alone.

    The one that holds most of what was closed, if it holds that much: left with a stranger, the strategy would go on
    to close what is gone, and so open the other side.
    """
    closable = {name: abs(quantity) for name, quantity in held.items() if way_out(quantity) == execution.side}
    largest = max(sorted(closable), key=lambda name: closable[name], default=None)
    return largest if largest is not None and closable[largest] >= execution.quantity else None
