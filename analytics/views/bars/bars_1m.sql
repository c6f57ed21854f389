-- bars_1m: what traded in each minute, from our own trades; late trades included, so it may still change: decisions read bars_asof.
-- Grain: venue, symbol, minute with at least one trade (ts = start). Prices in quote, volume and buy_volume in base, cost in quote.
-- buy_volume: what takers bought. seq orders trades that share a timestamp, so open and close are the venue's own.
-- Known after: the minute's end (an open minute stays invisible). Inputs: trades.
CREATE MATERIALIZED VIEW IF NOT EXISTS bars_1m REFRESH IMMEDIATE PERIOD (SAMPLE BY INTERVAL) AS (
  SELECT ts, venue, symbol,
         arg_min(price, seq) AS open, max(price) AS high, min(price) AS low, arg_max(price, seq) AS close,
         sum(amount) AS volume, sum(price * amount) AS cost, count() AS trades,
         sum(CASE WHEN side = 'buy' THEN amount ELSE 0.0 END) AS buy_volume,
         min(seq) AS first_seq, max(seq) AS last_seq
  FROM trades
  SAMPLE BY 1m
) PARTITION BY DAY;
