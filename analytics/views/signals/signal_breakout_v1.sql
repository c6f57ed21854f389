-- signal_breakout_v1: buy the close above all highs of the 55 bars before, leave at one below all lows of 20.
-- Shorts are the mirror: from a close below the lows of 55 bars until one above the highs of 20.
-- A position ends 60 bars after the last break that called for it: that truncation is the definition, and a time stop.
-- target is 1, -1 (spot: flat) or 0; confidence in [0, 1]: 1 at a break, falling by a sixtieth with every bar since.
-- The channel is Donchian's, with two lengths as in Faith: Way of the Turtle (2007).
-- Entity: venue, symbol, minute (ts = start of the bar it rests on).
-- Inputs: bars_1m_checked.
-- Unit: share of the strategy's position, -1 to 1.
-- Known after: the minute's end and the watermark behind it.
-- Warm-up: 114 bars. No row across a gap and until the warm-up is whole.
-- Owner: research.
-- Checks: between -1 and 1 (fail).
CREATE OR REPLACE VIEW signal_breakout_v1 AS (
  DECLARE OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now(), @warm_up := 114
  SELECT ts, venue, symbol, target,
         abs(target) * (60.0 - ts::long / 60000000000 + coalesce(broken, ts::long / 60000000000)) / 60.0 AS confidence,
         null::symbol AS model_version
  FROM (
    SELECT ts, venue, symbol, coalesce(long_leg, 0.0) + coalesce(short_leg, 0.0) AS target, broken
    FROM (
      SELECT ts, venue, symbol,
             last_value(CASE WHEN close > top THEN 1.0 WHEN close < exit_bottom THEN 0.0 END) IGNORE NULLS OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS long_leg,
             last_value(CASE WHEN close < bottom THEN -1.0 WHEN close > exit_top THEN 0.0 END) IGNORE NULLS OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS short_leg,
             max(CASE WHEN close > top OR close < bottom THEN ts::long / 60000000000 END) OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS broken,
             count(CASE WHEN known = 56 THEN close END) OVER (
               PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 59 PRECEDING AND CURRENT ROW) AS known
      FROM (
        SELECT ts, venue, symbol, close,
               max(high) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 55 PRECEDING AND 1 PRECEDING) AS top,
               min(low) OVER (PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 55 PRECEDING AND 1 PRECEDING) AS bottom,
               max(high) OVER (
                 PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) AS exit_top,
               min(low) OVER (
                 PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING) AS exit_bottom,
               count(close) OVER (
                 PARTITION BY venue, symbol ORDER BY ts ROWS BETWEEN 55 PRECEDING AND CURRENT ROW) AS known
        FROM bars_1m_checked
      )
    ) WHERE known = 60 AND ts >= @from AND ts <= @to
  )
);

-- signal_breakout: the version of signal_breakout that new work should read.
CREATE OR REPLACE VIEW signal_breakout AS (SELECT * FROM signal_breakout_v1);
