-- bar_days: of each UTC day the first and the last minute with a trade of ours: whether anything is known before a moment
-- is looked up here, and costs the same however long the history is.
-- Grain: venue, symbol, UTC day with at least one bar (ts = start). first_ts, last_ts: start of a minute.
-- Known after: the bar. Inputs: bars_1m.
CREATE MATERIALIZED VIEW IF NOT EXISTS bar_days REFRESH IMMEDIATE AS (
  SELECT ts, venue, symbol, min(ts) AS first_ts, max(ts) AS last_ts FROM bars_1m SAMPLE BY 1d
) PARTITION BY YEAR;
