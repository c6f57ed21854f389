-- What: Predictions say in which role a version spoke and whether signals read it; a table of drift.
-- Why: Challengers are scored beside the champion, and models are watched after they were trained.
-- Rollback: Take challengers out of use first: an older release takes every prediction for one that is served. What
--   was added may stay.
ALTER TABLE predictions ADD COLUMN IF NOT EXISTS role SYMBOL;
ALTER TABLE predictions ADD COLUMN IF NOT EXISTS served BOOLEAN;
CREATE TABLE IF NOT EXISTS drift (
  ts TIMESTAMP_NS, venue SYMBOL, model SYMBOL, version SYMBOL, role SYMBOL, feature SYMBOL, metric SYMBOL, grade SYMBOL,
  run_id VARCHAR, value DOUBLE, warn DOUBLE, fail DOUBLE, rows LONG, window_s DOUBLE
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, venue, model, version, feature, metric);
