-- return_5m_v1: how far the price moved in five minutes: close against the close five bars before.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: ratio.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 5 bars. NULL across a gap and until the warm-up is whole.
-- Owner: research.
-- Checks: between -0.9 and 0.9 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW return_5m_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 5
  SELECT ts, venue, symbol, CASE WHEN known = 6 THEN close / close_before - 1.0 END AS value FROM (
    SELECT ts, venue, symbol, close,
           lag(close, 5) OVER (PARTITION BY venue, symbol ORDER BY ts) AS close_before,
           count(close) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 5 PRECEDING AND CURRENT ROW) AS known
    FROM bars_1m_checked
  ) WHERE ts >= @from AND ts <= @to
);

-- return_5m: the version of return_5m that new work should read.
CREATE OR REPLACE VIEW return_5m AS (SELECT * FROM return_5m_v1);
