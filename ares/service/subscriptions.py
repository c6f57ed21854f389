"""Who wants to hear of events: subscriptions of the installed packages, delivered by the mirror service."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

from ares.events.bus import SUBSCRIPTIONS_GROUP, Subscription
from ares.service.types import ServiceContext

SubscriptionFactory = Callable[[ServiceContext], Subscription]


def installed_subscriptions(context: ServiceContext) -> list[Subscription]:
    """Those of all packages: entry points of the group `ares.subscriptions`, each a `SubscriptionFactory`."""
    found: dict[str, Subscription] = {}
    for point in sorted(metadata.entry_points(group=SUBSCRIPTIONS_GROUP), key=lambda point: point.name):
        factory: SubscriptionFactory = point.load()
        subscription = factory(context)
        assert subscription.name not in found, f"subscription {subscription.name} is declared twice"
        found[subscription.name] = subscription
    return list(found.values())
