"""Twenty features of bars in memory by pandas, by the definitions in `analytics/views/features`, which must agree.

usage: frame_pandas.py BARS VALUES: two files of numpy. Bars lie symbol by symbol, of all symbols the same minutes, the
leader first. The values are kept in the second file. For every line of standard input work is done and told as JSON of
the seconds of wall and of processor: "compute", or "write CONF TABLE", all of them by QuestDB's own client.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
from questdb import Sender


def own(bars: pd.DataFrame, out: dict[str, pd.Series]) -> None:
    """What a symbol's own bars say."""
    close, high, low, volume = bars["close"], bars["high"], bars["low"], bars["volume"]
    before = close.shift(1)
    change, step = np.log(close / before), close - before
    reach = np.maximum(high, before) - np.minimum(low, before)
    out["atr_14"] = reach.rolling(14).mean() / close
    out["bollinger_position_20"] = (close - close.rolling(20).mean()) / (2.0 * close.rolling(20).std(ddof=0))
    out["drawdown_60"] = close / high.rolling(60).max() - 1.0
    squares = (change * change).rolling(15).mean()
    out["momentum_15"] = (change.rolling(15).mean() * 15.0 / np.sqrt(squares * 15.0)).clip(-np.sqrt(15.0), np.sqrt(15.0))
    bought = bars["buy_volume"].rolling(5).sum() / volume.rolling(5).sum()
    out["order_flow_imbalance"] = (2.0 * bought - 1.0).clip(-1.0, 1.0)
    out["range_15"] = (high.rolling(15).max() - low.rolling(15).min()) / close
    out["realised_volatility_30"] = np.sqrt((change * change).rolling(30).mean())
    out["return_1m"] = close / before - 1.0
    out["return_5m"] = close / close.shift(5) - 1.0
    rise, fall = step.clip(lower=0.0).rolling(14).mean(), (-step).clip(lower=0.0).rolling(14).mean()
    out["rsi_14"] = 100.0 * rise / (rise + fall)
    minute = bars["ts"] // 60_000_000_000 % 1440
    out["time_of_day_cos"] = np.cos(2.0 * np.pi * minute / 1440.0)
    out["time_of_day_sin"] = np.sin(2.0 * np.pi * minute / 1440.0)
    out["trade_intensity"] = bars["trades"] / bars["trades"].rolling(30).mean()
    out["trend_60"] = close.rolling(60).corr(pd.Series(np.arange(len(close), dtype=float), close.index))
    busy = np.log1p(volume)
    out["volume_zscore"] = (busy - busy.rolling(60).mean()) / busy.rolling(60).std(ddof=0)
    out["vwap_deviation"] = close / (bars["cost"].rolling(60).sum() / volume.rolling(60).sum()) - 1.0


def beside(close: pd.Series, leader: pd.Series, out: dict[str, pd.Series]) -> None:
    """What it says beside the leader's bars; of the leader itself that is nothing but constants."""
    change, lead = np.log(close / close.shift(1)), np.log(leader / leader.shift(1))
    out["beta_60"] = change.rolling(60).cov(lead, ddof=0) / lead.rolling(60).var(ddof=0)
    out["correlation_60"] = change.rolling(60).corr(lead).clip(-1.0, 1.0)
    ratio = np.log(close / leader)
    out["relative_strength_60"] = ratio - ratio.shift(60)
    spread = ratio.rolling(60).std(ddof=0)
    out["pair_zscore_60"] = ((ratio - ratio.rolling(60).mean()) / spread).where(spread > 1e-7, ratio.rolling(60).mean() * 0)


def computed(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """A row a bar, symbol by symbol."""
    leader = frames[0]["close"]
    parts = []
    for bars in frames:
        out: dict[str, pd.Series] = {}
        own(bars, out)
        beside(bars["close"], leader, out)
        parts.append(pd.DataFrame(out))
    return pd.concat(parts, ignore_index=True)


def arrays_codes(frames: list[pd.DataFrame]) -> np.ndarray:
    """Of each row, which symbol."""
    return np.repeat(np.arange(len(frames), dtype="i1"), [len(frame) for frame in frames])


def write(wide: pd.DataFrame, conf: str, table: str) -> None:
    """Send and wait until it is acknowledged, in requests as large as the client's notes advise."""
    with Sender.from_conf(f"{conf}auto_flush_rows=75000;request_timeout=120000;") as sender:
        sender.dataframe(wide, table_name=table, symbols=["symbol"], at="ts")


def main() -> None:
    file, kept = sys.argv[1:]
    arrays = dict(np.load(file))
    codes = arrays.pop("codes")
    frames = [pd.DataFrame({k: v[codes == code] for k, v in arrays.items()}) for code in np.unique(codes)]
    values = computed(frames)
    np.savez(kept, names=np.array(values.columns, dtype=str), values=values.to_numpy())
    scope = pd.concat(frames, ignore_index=True)["ts"].astype("datetime64[ns]")
    wide = values.assign(ts=scope, symbol=pd.Categorical.from_codes(arrays_codes(frames), ["BTC/USDT", "ETH/USDT"]))
    wide = wide.sort_values("ts", kind="stable", ignore_index=True)
    print("ready", flush=True)
    for line in sys.stdin:
        what, *rest = line.split()
        began, used = time.perf_counter(), time.process_time()
        if what == "compute":
            computed(frames)
        else:
            write(wide, *rest)
        print(json.dumps([time.perf_counter() - began, time.process_time() - used]), flush=True)


main()
