"""How a venue's raw answers are read: one reading function for each thing that a gateway is told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trader.portfolio.orders import OrderReport
from trader.portfolio.positions import Execution
from trader.portfolio.sizing import Grid
from trader.venues.gateway import Balance, KeyRights

Raw = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Words:
    """Each raises KeyError or ValueError for what is not as the venue documents it; a second argument is our symbol."""

    order: Callable[[Raw, str], OrderReport]
    execution: Callable[[Raw, str], Execution]
    balances: Callable[[Raw], Mapping[str, Balance]]
    key_rights: Callable[[Raw], KeyRights]
    grid: Callable[[Raw], Grid]
