-- drawdown_60_v1: how far the price is below its highest of an hour.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: share of that highest price; 0 = at the top.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 60 bars, this one included. NULL across a gap and until the warm-up is whole.
-- Owner: research.
-- Checks: between -1 and 0 (fail).
CREATE OR REPLACE VIEW drawdown_60_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 59
  SELECT ts, venue, symbol, CASE WHEN known = 60 THEN close / highest - 1.0 END AS value FROM (
    SELECT ts, venue, symbol, close,
           max(high) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS highest,
           count(close) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
    FROM bars_1m_checked
  ) WHERE ts >= @from AND ts <= @to
);

-- drawdown_60: the version of drawdown_60 that new work should read.
CREATE OR REPLACE VIEW drawdown_60 AS (SELECT * FROM drawdown_60_v1);
