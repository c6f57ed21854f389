-- realised_volatility_30_v1: how much the price moved about in half an hour: root mean square of the one-minute log
-- returns.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: per minute (0.001 = 0.1 % a minute).
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 30 bars. NULL across a gap and until the warm-up is whole.
-- Owner: research.
-- Checks: between 0 and 1 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW realised_volatility_30_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 30
  SELECT ts, venue, symbol, CASE WHEN known = 30 THEN sqrt(greatest(0.0, mean_square)) END AS value FROM (
    SELECT ts, venue, symbol,
           avg(change * change) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS mean_square,
           count(change) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, ln(close / lag(close, 1) OVER (PARTITION BY venue, symbol ORDER BY ts)) AS change
      FROM bars_1m_checked
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- realised_volatility_30: the version of realised_volatility_30 that new work should read.
CREATE OR REPLACE VIEW realised_volatility_30 AS (SELECT * FROM realised_volatility_30_v1);
