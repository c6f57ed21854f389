-- What: Every step in the life of a model's version is a row.
-- Why: Which model is in use is decided by people and gates, not by which was fitted last.
-- Rollback: None needed: an older release does not know the table, and takes the newest fitted model.
CREATE TABLE IF NOT EXISTS model_events (
  ts TIMESTAMP_NS, model SYMBOL, version SYMBOL, event SYMBOL, who SYMBOL, seq LONG, reason VARCHAR, run_id VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, model, seq);
