"""A trader on perpetuals as a process of its own, to be killed: it goes short once, and then waits for its end."""

from __future__ import annotations

import asyncio
import sys

from ares.control import ControlStore
from tests.integration.test_trader_perpetuals import CLOCK, LEVERAGE, PERP, a_trader_at, config_at, wished
from trader.testing import StaticReader
from trader.venues.usdm_gateway import UsdmGateway


async def main(address: str, url: str, account: str) -> None:
    gateway = UsdmGateway("sim", config_at(address), CLOCK, LEVERAGE)
    await gateway.connect([PERP])
    reader = StaticReader()
    trader = a_trader_at(gateway, ControlStore.open(url), account, reader)
    await trader.leadership.wait()
    await trader.begin()
    reader.market = await wished(gateway, -1.0)
    await trader.cycle.run()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
