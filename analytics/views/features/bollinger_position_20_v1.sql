-- bollinger_position_20_v1: where the price stands within its Bollinger bands: 1 = at the upper, -1 = at the lower.
-- After Bollinger: Bollinger on Bollinger Bands (2001).
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: half widths of the bands, which are two deviations of the last 20 closes.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 20 bars, this one included. NULL across a gap and until the warm-up is whole; 0 while still.
-- Owner: research.
-- Checks: between -3 and 3 (fail).
CREATE OR REPLACE VIEW bollinger_position_20_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 19
  SELECT ts, venue, symbol,
         CASE WHEN known < 20 THEN NULL
              WHEN mean_square - mean * mean <= 1e-14 THEN 0.0
              ELSE (x - mean) / (2.0 * sqrt(mean_square - mean * mean)) END AS value
  FROM (
    SELECT ts, venue, symbol, x,
           avg(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS mean,
           avg(x * x) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS mean_square,
           count(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS known
    FROM (
      -- the value is the same for prices measured from any of them: measured from one that is near, squares keep digits
      SELECT ts, venue, symbol, close / first_value(close) IGNORE NULLS OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - 1.0 AS x
      FROM bars_1m_checked
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- bollinger_position_20: the version of bollinger_position_20 that new work should read.
CREATE OR REPLACE VIEW bollinger_position_20 AS (SELECT * FROM bollinger_position_20_v1);
