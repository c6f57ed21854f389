-- ema_cross_v1: the fast moving average (12 bars) against the slow one (26): above 0 the price trends up. Both
-- averages start anew at every full hour, one hour back: a value rests on the 60 to 119 bars since the start of the
-- hour before its own. That truncation is the definition: it makes a bar's value the same from wherever it is read.
-- Entity: venue, symbol, minute (ts = start).
-- Inputs: bars_1m_checked.
-- Unit: share of the price.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 60 to 119 bars. NULL across a gap and until the warm-up is whole.
-- Owner: research.
-- Checks: between -1 and 1 (fail); null share <= 0.2 (warn).
CREATE OR REPLACE VIEW ema_cross_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 119
  SELECT ts, venue, symbol, CASE WHEN known = needed THEN (fast - slow) / close END AS value FROM (
    SELECT ts, venue, symbol, close, hour_number, start_hour, minute_number - start_hour * 60 + 1 AS needed,
           avg(close, 'period', 12) OVER (PARTITION BY venue, symbol, start_hour ORDER BY ts) AS fast,
           avg(close, 'period', 26) OVER (PARTITION BY venue, symbol, start_hour ORDER BY ts) AS slow,
           count(close) OVER (PARTITION BY venue, symbol, start_hour ORDER BY ts
                              ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS known
    FROM (
      SELECT ts, venue, symbol, close, ts::long / 60000000000 AS minute_number, ts::long / 3600000000000 AS hour_number,
             ts::long / 3600000000000 - s.hours_back AS start_hour
      FROM bars_1m_checked CROSS JOIN (SELECT x - 1 AS hours_back FROM long_sequence(2)) s
    )
  ) WHERE start_hour = hour_number - 1 AND ts >= @from AND ts <= @to
);

-- ema_cross: the version of ema_cross that new work should read.
CREATE OR REPLACE VIEW ema_cross AS (SELECT * FROM ema_cross_v1);
