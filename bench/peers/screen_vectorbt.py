"""A moving-average cross by vectorbt on the series that is named: JSON of its processor time, orders and end.

Again for every line of stdin, or with "once" a single time.
"""

import json
import sys
import time

import numpy as np
import pandas as pd
import vectorbt as vbt

path, size, fee = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
bars = np.load(path)
opened, close = pd.Series(bars["open"]), pd.Series(bars["close"])


def run() -> vbt.Portfolio:
    quick, slow = (close.ewm(span=span, adjust=False).mean() for span in (20, 50))
    wanted = (quick > slow).shift(1, fill_value=False)  # decided at the close, done at the next open
    before = wanted.shift(1, fill_value=False)
    return vbt.Portfolio.from_signals(
        close, wanted & ~before, ~wanted & before, price=opened, size=size / close.shift(1), fees=fee,
        init_cash=1_000_000.0, freq="1min",
    )


folio = run()
gained = float(folio.total_return())
if sys.argv[-1] == "once":
    print(json.dumps({"orders": len(folio.orders.records), "gained": gained}))
    sys.exit()
print("ready", flush=True)
for _ in sys.stdin:
    began = time.process_time()
    folio = run()
    gained = float(folio.total_return())
    spent = time.process_time() - began
    orders = folio.orders.records
    print(json.dumps({"s": spent, "orders": len(orders), "gained": gained, "first": orders["idx"][:50].tolist()}), flush=True)
