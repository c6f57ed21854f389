"""All pages."""

from __future__ import annotations

from collections.abc import Sequence

from api.console.pages import market, overview
from api.console.registry import Page
from ares.security.access.roles import Permission

P = Permission
PAGES: Sequence[Page] = (
    Page("", "Overview", overview.build, P.READ_TRADING, "Trade"),
    Page("market", "Market", market.build, P.READ_MARKET, "Trade"),
)
