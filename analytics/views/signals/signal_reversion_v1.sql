-- signal_reversion_v1: buy two standard deviations below the mean of an hour, sell two above, leave at the mean.
-- z = (close - mean) / deviation of the last 60 closes. Long from z <= -2 until z >= 0, short from z >= 2 until z <= 0.
-- A position ends 30 bars after the last bar that called for it: that truncation is the definition, and a time stop.
-- target is 1, -1 (spot: flat) or 0; confidence in [0, 1]: the distance from the mean, three deviations = 1.
-- Bands after Bollinger: Bollinger on Bollinger Bands (2001).
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: bars_1m_checked.
-- Unit: share of the strategy's position, -1 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 88 bars. No row across a gap and until the warm-up is whole; where the price stands still z is 0.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW signal_reversion_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 88
  SELECT ts, venue, symbol, coalesce(long_leg, 0.0) + coalesce(short_leg, 0.0) AS target,
         abs(coalesce(long_leg, 0.0) + coalesce(short_leg, 0.0)) * least(1.0, abs(z) / 3.0) AS confidence,
         null::symbol AS model_version
  FROM (
    SELECT ts, venue, symbol, z,
           last_value(CASE WHEN z <= -2.0 THEN 1.0 WHEN z >= 0.0 THEN 0.0 END) IGNORE NULLS OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS long_leg,
           last_value(CASE WHEN z >= 2.0 THEN -1.0 WHEN z <= 0.0 THEN 0.0 END) IGNORE NULLS OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS short_leg,
           count(z) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 29 PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol,
             CASE WHEN known < 60 THEN NULL
                  WHEN mean_square - mean * mean <= 1e-14 THEN 0.0
                  ELSE (x - mean) / sqrt(mean_square - mean * mean) END AS z
      FROM (
        SELECT ts, venue, symbol, x,
               avg(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean,
               avg(x * x) OVER (
                 PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean_square,
               count(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
        FROM (
          -- z is the same for prices measured from any of them: measured from one that is near, squares keep digits
          SELECT ts, venue, symbol, close / first_value(close) IGNORE NULLS OVER (
                   PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - 1.0 AS x
          FROM bars_1m_checked
        )
      )
    )
  ) WHERE known = 30 AND ts >= @from AND ts <= @to
);

-- signal_reversion: the version of signal_reversion that new work should read.
CREATE OR REPLACE VIEW signal_reversion AS (SELECT * FROM signal_reversion_v1);
