-- trend_60_v1: how straight the price went in an hour: the correlation of its closes with time; 1 = straight up.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: -1 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 60 bars, this one included. NULL across a gap and until the warm-up is whole; 0 while still.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW trend_60_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 59
  SELECT ts, venue, symbol,
         CASE WHEN known < 60 THEN NULL
              WHEN square - mean * mean <= 1e-14 THEN 0.0
              -- 3599 / 12 is the variance of 60 numbers in a row
              ELSE greatest(-1.0, least(1.0,
                (product - mean * place_mean) / sqrt((square - mean * mean) * 3599.0 / 12.0)))
         END AS value
  FROM (
    SELECT ts, venue, symbol,
           avg(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS mean,
           avg(x * x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS square,
           avg(place) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS place_mean,
           avg(x * place) OVER (
             PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS product,
           count(x) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
    FROM (
      -- neither depends on where prices and minutes are counted from: from one that is near, squares keep digits
      SELECT ts, venue, symbol, close / first_value(close) IGNORE NULLS OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - 1.0 AS x,
             row_number() OVER (PARTITION BY venue, symbol ORDER BY ts)::double AS place
      FROM bars_1m_checked
    )
  ) WHERE ts >= @from AND ts <= @to
);

-- trend_60: the version of trend_60 that new work should read.
CREATE OR REPLACE VIEW trend_60 AS (SELECT * FROM trend_60_v1);
