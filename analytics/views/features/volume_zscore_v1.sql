-- volume_zscore_v1: how unusual the minute's volume is within its hour: 0 = the mean, 2 = two standard deviations
-- above. Of ln(1 + volume), since volumes are skewed.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: standard deviations.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 60 bars, this one included. NULL across a gap, until the warm-up is whole, and when every minute had the
-- same volume.
-- Owner: research.
-- Checks: between -8 and 8 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW volume_zscore_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 59
  SELECT ts, venue, symbol,
         CASE WHEN known = 60 AND mean_square - mean * mean > 1e-9 * mean_square
              THEN (busyness - mean) / sqrt(mean_square - mean * mean) END AS value
  FROM (
    SELECT ts, venue, symbol, busyness,
           avg(busyness) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean,
           avg(busyness * busyness) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean_square,
           count(busyness) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
    FROM (SELECT ts, venue, symbol, ln(1.0 + volume) AS busyness FROM bars_1m_checked)
  ) WHERE ts >= @from AND ts <= @to
);

-- volume_zscore: the version of volume_zscore that new work should read.
CREATE OR REPLACE VIEW volume_zscore AS (SELECT * FROM volume_zscore_v1);
