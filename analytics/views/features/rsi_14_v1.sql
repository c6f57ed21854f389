-- rsi_14_v1: relative strength over 14 bars: 100 = only rises, 0 = only falls, 50 = balanced or still. Cutler's
-- form: plain averages of the rises and falls, so that it has an end (Wilder's never forgets).
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: 0 to 100.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 14 bars. NULL across a gap and until the warm-up is whole.
-- Owner: research.
-- Checks: between 0 and 100 (fail); null share <= 0.2 (warn); distinct >= 2 (warn).
CREATE OR REPLACE VIEW rsi_14_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 14
  SELECT ts, venue, symbol,
         CASE WHEN known < 14 THEN NULL
              WHEN rise + fall <= close * 1e-12 THEN 50.0
              ELSE greatest(0.0, least(100.0, 100.0 * rise / (rise + fall))) END AS value
  FROM (
    SELECT ts, venue, symbol, close,
           avg(CASE WHEN change > 0 THEN change WHEN change <= 0 THEN 0.0 END) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 13 PRECEDING AND CURRENT ROW) AS rise,
           avg(CASE WHEN change < 0 THEN -change WHEN change >= 0 THEN 0.0 END) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 13 PRECEDING AND CURRENT ROW) AS fall,
           count(change) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 13 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, close, close - lag(close, 1) OVER (PARTITION BY venue, symbol ORDER BY ts) AS change
      FROM bars_1m_checked
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- rsi_14: the version of rsi_14 that new work should read.
CREATE OR REPLACE VIEW rsi_14 AS (SELECT * FROM rsi_14_v1);
