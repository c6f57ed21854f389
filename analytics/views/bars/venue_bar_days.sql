-- venue_bar_days: of each UTC day the first and the last minute of which the venue's own candle is known; see bar_days.
-- Grain: venue, symbol, UTC day with at least one candle (ts = start). first_ts, last_ts: start of a minute.
-- Known after: the candle. Inputs: venue_bars_1m.
CREATE MATERIALIZED VIEW IF NOT EXISTS venue_bar_days REFRESH IMMEDIATE AS (
  SELECT ts, venue, symbol, min(ts) AS first_ts, max(ts) AS last_ts FROM venue_bars_1m SAMPLE BY 1d
) PARTITION BY YEAR;
