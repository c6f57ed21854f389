"""All pages."""

from __future__ import annotations

from collections.abc import Sequence

from api.console.pages import (
    account,
    audit,
    commands,
    config,
    data,
    features,
    lineage,
    market,
    model,
    models,
    operations,
    order,
    orders,
    overview,
    positions,
    risk,
    strategies,
    strategy,
    users,
)
from api.console.registry import Page
from ares.security.access.roles import Permission

P = Permission
PAGES: Sequence[Page] = (
    Page("", "Overview", overview.build, P.READ_TRADING, "Trade"),
    Page("market", "Market", market.build, P.READ_MARKET, "Trade"),
    Page("positions", "Positions and profit", positions.build, P.READ_TRADING, "Trade"),
    Page("orders", "Orders", orders.build, P.READ_TRADING, "Trade"),
    Page("risk", "Risk", risk.build, P.READ_TRADING, "Trade"),
    Page("commands", "Commands", commands.build, P.READ_TRADING, "Trade"),
    Page("orders/{order_id}", "Order", order.build, P.READ_TRADING),
    Page("strategies", "Strategies", strategies.build, P.READ_TRADING, "Research"),
    Page("strategies/{name}", "Strategy", strategy.build, P.READ_TRADING),
    Page("models", "Models", models.build, P.READ_RESEARCH, "Research"),
    Page("models/{model}", "Model", model.build, P.READ_RESEARCH),
    Page("features", "Features", features.build, P.READ_RESEARCH, "Research"),
    Page("data", "Data", data.build, P.READ_MARKET, "Data"),
    Page("data/lineage", "Lineage", lineage.build, P.READ_RESEARCH, "Data"),
    Page("operations", "Operations", operations.build, P.READ_OPERATIONS, "Operate"),
    Page("config", "Settings", config.build, P.READ_CONFIG, "Operate"),
    Page("jobs/{job}", "Job", operations.build_job, P.READ_OPERATIONS),
    Page("users", "Users", users.build, P.READ_USERS, "People"),
    Page("audit", "Audit", audit.build, P.READ_AUDIT, "People"),
    Page("users/{user}", "User", users.build_one, P.READ_USERS),
    Page("account", "Account", account.build),
)
