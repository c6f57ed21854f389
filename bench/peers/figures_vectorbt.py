"""The figures of trades by vectorbt: orders and closes in a file, JSON of its own figures out.

    figures_vectorbt.py TRADES.npz START_QUOTE PERIOD

Orders are arrays by bar and symbol, NaN where there is none: what came in of coins (above 0) or went out, at which price.
PERIOD: of the returns behind the ratios, "1D" or "1min".
"""

import json
import sys

import numpy as np
import pandas as pd
import vectorbt as vbt

given, start, period = np.load(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
index = pd.to_datetime(given["ts"], utc=True).tz_localize(None)


def frame(name: str) -> pd.DataFrame:
    return pd.DataFrame(given[name], index=index)


folio = vbt.Portfolio.from_orders(
    frame("close"), size=frame("moved"), price=frame("price"), init_cash=start, cash_sharing=True, group_by=True,
    call_seq="auto", freq="1min",
)
by_bar = folio.returns()
gained = by_bar.vbt.returns.daily() if period == "1D" else by_bar
ratios = gained.vbt.returns(freq=period, year_freq="365D")
worth = folio.value()
print(
    json.dumps(
        {
            "orders": int(folio.orders.count()),
            "end_quote": float(worth.iloc[-1]),
            "pnl_quote": float(folio.total_profit()),
            "return_share": float(folio.total_return()),
            "volatility": float(ratios.annualized_volatility()),
            "sharpe": float(ratios.sharpe_ratio()),
            "sortino": float(ratios.sortino_ratio()),
            "drawdown_share_max": -float(by_bar.vbt.returns(freq="1min").max_drawdown()),
        }
    )
)
