"""The services of this package, for the registry."""

from __future__ import annotations

from collections.abc import Sequence

from ares.config import AresConfig
from ares.model.lineage import Made, Node
from ares.service.types import Capability, ServiceSpec


def traded(config: AresConfig) -> Sequence[Made]:
    """What becomes of the signals of the strategies that trade. The way of one order is in the rows themselves."""
    detail = f"account {config.trading.account} at {config.trading.venue}"
    made = []
    for strategy in config.trading.strategies:
        name = f"{strategy.name}_v{strategy.version}"
        decision, order, fill = Node("decision", name), Node("order", name), Node("fill", name)
        made += [
            Made(decision, (Node("signal", name), Node("view", "signals_asof"), Node("table", "quotes")), detail),
            Made(order, (decision,), detail),
            Made(fill, (order,), detail),
            Made(Node("table", "decisions"), (decision,), detail),
            Made(Node("table", "order_events"), (order,), detail),
            Made(Node("table", "fills"), (fill,), detail),
            Made(Node("table", "position_events"), (fill,), detail),
        ]
    return made


TRADER = ServiceSpec(
    "trader",
    "trader.service:TraderService",
    depends_on=("questdb", "mirror"),
    provides=lambda config: [Capability("trading", {"account": config.trading.account, "venue": config.trading.venue})],
    makes=traded,
    colored=True,
)
