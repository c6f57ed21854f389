"""cryptofeed with its QuestDB backend on Binance's trades.

usage: collect_cryptofeed.py WS_PORT USER:PASSWORD HTTP_PORT

It is told to wait where it would drop, so that both contestants do the same work. Prints what `collect_ares.py` prints.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import time

import cryptofeed.connection as connection
from cryptofeed import FeedHandler
from cryptofeed.backends.quest import TradeQuest
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.symbols import Symbols

WS_PORT, USER, HTTP_PORT = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
began: list[tuple[float, float]] = []
real = connection.connect


class Counting(TradeQuest):
    """Says when the first trade comes."""

    async def __call__(self, trade, receipt_timestamp):
        if not began:
            began.append((time.monotonic(), time.process_time()))
            print(json.dumps({"first": began[0][0]}), flush=True)
        await super().__call__(trade, receipt_timestamp)


def here(_address, **options):
    return real(f"ws://127.0.0.1:{WS_PORT}/stream", **options)


def until_told() -> None:
    sys.stdin.read()
    print(json.dumps({"cpu_s": time.process_time() - began[0][1]}), flush=True)
    os._exit(0)


connection.connect = here
about = {"tick_size": {"BTC-USDT": "0.01"}, "instrument_type": {"BTC-USDT": "spot"}}
Symbols.set("BINANCE", {"BTC-USDT": "BTCUSDT"}, about)
threading.Thread(target=until_told, daemon=True).start()
handler = FeedHandler(config={"log": {"disabled": True}, "uvloop": True})
backend = Counting(host="127.0.0.1", port=HTTP_PORT, overflow="block")
backend.headers = {"Authorization": "Basic " + base64.b64encode(USER.encode()).decode()}
handler.add_feed(Binance(symbols=["BTC-USDT"], channels=[TRADES], callbacks={TRADES: backend}))
handler.run(install_signal_handlers=False)
