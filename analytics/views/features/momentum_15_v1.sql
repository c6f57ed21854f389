-- momentum_15_v1: how straight the price went in 15 minutes: its log return against the one of a random walk of the
-- same steps.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: standard deviations, within ±sqrt(15).
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 15 bars. NULL across a gap, until the warm-up is whole, and when the price stood still.
-- Owner: research.
-- Checks: between -3.873 and 3.873 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW momentum_15_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 15
  SELECT ts, venue, symbol,
         CASE WHEN known = 15 AND mean_square > 1e-18
              THEN greatest(-sqrt(15.0), least(sqrt(15.0), mean * 15.0 / sqrt(mean_square * 15.0))) END AS value
  FROM (
    SELECT ts, venue, symbol,
           avg(change) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 14 PRECEDING AND CURRENT ROW) AS mean,
           avg(change * change) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 14 PRECEDING AND CURRENT ROW) AS mean_square,
           count(change) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 14 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, ln(close / lag(close, 1) OVER (PARTITION BY venue, symbol ORDER BY ts)) AS change
      FROM bars_1m_checked
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- momentum_15: the version of momentum_15 that new work should read.
CREATE OR REPLACE VIEW momentum_15 AS (SELECT * FROM momentum_15_v1);
