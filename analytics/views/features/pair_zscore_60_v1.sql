-- pair_zscore_60_v1: how unusual the price is against BTC's within an hour: 0 = the mean, below 0 it is cheap.
-- BTC is that of the venue in the same quote and settlement.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked (BTC's too).
-- Unit: standard deviations of ln(price / BTC's).
-- Known after: the minute's end and the watermark behind it, of both.
-- Warm-up: 60 bars, this one included. NULL across a gap of either, until it is whole, without a BTC; 0 while still.
-- Owner: research.
-- Checks: between -8 and 8 (fail).
CREATE OR REPLACE VIEW pair_zscore_60_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 59
  SELECT ts, venue, symbol,
         CASE WHEN known < 60 THEN NULL
              WHEN mean_square - mean * mean <= 1e-14 THEN 0.0
              ELSE (x - mean) / sqrt(mean_square - mean * mean) END AS value
  FROM (
    SELECT ts, venue, symbol, x,
           avg(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean,
           avg(x * x) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean_square,
           count(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
    FROM (
      -- the value is the same for ratios measured from any of them: measured from one that is near, squares keep digits
      SELECT ts, venue, symbol, ratio - first_value(ratio) IGNORE NULLS OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS x
      FROM (
        SELECT ts, venue, symbol, ln(close / leader) AS ratio FROM (
          SELECT ts, venue, symbol, close, max(CASE WHEN symbol LIKE 'BTC/%' THEN close END) OVER (
                   PARTITION BY venue, market, ts) AS leader
          FROM (
            SELECT ts, venue, symbol, close, substring(symbol, strpos(symbol, '/'), 40) AS market
            FROM bars_1m_checked
          )
        )
      )
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- pair_zscore_60: the version of pair_zscore_60 that new work should read.
CREATE OR REPLACE VIEW pair_zscore_60 AS (SELECT * FROM pair_zscore_60_v1);
