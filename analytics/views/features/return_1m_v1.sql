-- return_1m_v1: how far the price moved in the minute: close against the close before.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: ratio (0.01 = 1 %).
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 1 bar. NULL across a gap and until the warm-up is whole.
-- Owner: research.
-- Checks: between -0.5 and 0.5 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW return_1m_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 1
  SELECT ts, venue, symbol, value FROM (
    SELECT ts, venue, symbol,
           close / lag(close, 1) OVER (PARTITION BY venue, symbol ORDER BY ts) - 1.0 AS value
    FROM bars_1m_checked
  ) WHERE ts >= @from AND ts <= @to
);

-- return_1m: the version of return_1m that new work should read.
CREATE OR REPLACE VIEW return_1m AS (SELECT * FROM return_1m_v1);
