-- trade_intensity_v1: how busy the minute was: its number of trades against the mean of its half hour.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: ratio (1 = as usual).
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 30 bars, this one included. NULL across a gap, until the warm-up is whole, and when nobody traded in it.
-- Owner: research.
-- Checks: between 0 and 31 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW trade_intensity_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 29
  SELECT ts, venue, symbol, CASE WHEN known = 30 AND mean > 1e-9 THEN trades / mean END AS value FROM (
    SELECT ts, venue, symbol, trades,
           avg(trades::double) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS mean,
           count(close) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS known
    FROM bars_1m_checked
  ) WHERE ts >= @from AND ts <= @to
);

-- trade_intensity: the version of trade_intensity that new work should read.
CREATE OR REPLACE VIEW trade_intensity AS (SELECT * FROM trade_intensity_v1);
