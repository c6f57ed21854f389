"""Names of strategies that are nobody's to choose."""

from __future__ import annotations

FOREIGN = "foreign"
"""The strategy of what was executed on the account and nobody here ordered."""

MANUAL = "manual"
"""The strategy of orders by hand that are no other strategy's."""
