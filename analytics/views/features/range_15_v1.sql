-- range_15_v1: how wide the market was in 15 minutes: highest against lowest price.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: share of the close.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 15 bars, this one included. NULL across a gap and until the warm-up is whole.
-- Owner: research.
-- Checks: between 0 and 1 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW range_15_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 14
  SELECT ts, venue, symbol, CASE WHEN known = 15 THEN (highest - lowest) / close END AS value FROM (
    SELECT ts, venue, symbol, close,
           max(high) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 14 PRECEDING AND CURRENT ROW) AS highest,
           min(low) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 14 PRECEDING AND CURRENT ROW) AS lowest,
           count(close) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 14 PRECEDING AND CURRENT ROW) AS known
    FROM bars_1m_checked
  ) WHERE ts >= @from AND ts <= @to
);

-- range_15: the version of range_15 that new work should read.
CREATE OR REPLACE VIEW range_15 AS (SELECT * FROM range_15_v1);
