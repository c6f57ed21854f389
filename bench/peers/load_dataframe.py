"""QuestDB's own client alone: the same trades as a data frame, sent and acknowledged.
usage: load_dataframe.py CONF VENUE COUNT START_MS SPAN_MS

The frame is made before the clock starts. Prints what `collect_ares.py` prints.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
from questdb import Sender

conf, venue = sys.argv[1:3]
count, start_ms, span_ms = (int(word) for word in sys.argv[3:])
ids = np.arange(1, count + 1)
moments = ((start_ms + (ids - 1) * span_ms // count) * 1_000_000).view("M8[ns]")
frame = pd.DataFrame(
    {
        "ts": moments,
        "venue": pd.Categorical.from_codes(np.zeros(count, "i1"), [venue]),
        "symbol": pd.Categorical.from_codes(np.zeros(count, "i1"), ["BTC/USDT"]),
        "side": pd.Categorical.from_codes((ids % 2).astype("i1"), ["buy", "sell"]),
        "source": pd.Categorical.from_codes(np.zeros(count, "i1"), ["stream"]),
        "trade_id": pd.Series(ids).astype(str),
        "seq": ids,
        "price": 61_000.0 + (ids % 977) / 100,
        "amount": 0.001 + (ids % 313) / 1000,
        "received_at": moments,
    }
)
with Sender.from_conf(conf) as sender:
    began, used = time.monotonic(), time.process_time()
    print(json.dumps({"first": began}), flush=True)
    sender.dataframe(frame, table_name="trades", symbols=["venue", "symbol", "side", "source"], at="ts")
    sender.flush()
    print(json.dumps({"cpu_s": time.process_time() - used}), flush=True)
