-- bars_5m: what traded in each five minutes, from bars_1m; late trades included.
-- Grain: venue, symbol, five minutes with at least one trade (ts = start). Units as in bars_1m.
-- Known after: its end (an open one stays invisible). Inputs: bars_1m.
CREATE MATERIALIZED VIEW IF NOT EXISTS bars_5m REFRESH IMMEDIATE PERIOD (SAMPLE BY INTERVAL) AS (
  SELECT ts, venue, symbol,
         arg_min(open, first_seq) AS open, max(high) AS high, min(low) AS low, arg_max(close, last_seq) AS close,
         sum(volume) AS volume, sum(cost) AS cost, sum(trades) AS trades, sum(buy_volume) AS buy_volume,
         min(first_seq) AS first_seq, max(last_seq) AS last_seq
  FROM bars_1m
  SAMPLE BY 5m
) PARTITION BY MONTH;
