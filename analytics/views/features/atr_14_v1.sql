-- atr_14_v1: how far the price ranges in a minute, jumps between minutes included: the mean true range of 14 bars.
-- The plain mean, so that it has an end; Wilder's own (New Concepts in Technical Trading Systems, 1978) never forgets.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: share of the close.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 14 bars. NULL across a gap and until the warm-up is whole.
-- Owner: research.
-- Checks: between 0 and 0.5 (warn).
CREATE OR REPLACE VIEW atr_14_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 14
  SELECT ts, venue, symbol, CASE WHEN known = 14 THEN true_range / close END AS value FROM (
    SELECT ts, venue, symbol, close,
           avg(true_range) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 13 PRECEDING AND CURRENT ROW) AS true_range,
           count(true_range) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 13 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, close,
             CASE WHEN close_before IS NOT NULL AND close IS NOT NULL
                  THEN greatest(high, close_before) - least(low, close_before) END AS true_range
      FROM (
        SELECT ts, venue, symbol, high, low, close,
               lag(close, 1) OVER (PARTITION BY venue, symbol ORDER BY ts) AS close_before
        FROM bars_1m_checked
      )
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- atr_14: the version of atr_14 that new work should read.
CREATE OR REPLACE VIEW atr_14 AS (SELECT * FROM atr_14_v1);
