-- What: A table of errands: what people asked for over the API that takes long, step by step.
-- Why: Who asked for what, how far it is and what came of it is read like everything else that happens.
-- Rollback: None needed: an older release does not look at the table.
CREATE TABLE IF NOT EXISTS errands (
  ts TIMESTAMP_NS, kind SYMBOL, state SYMBOL, asked_by SYMBOL, errand_id VARCHAR, seq LONG,
  asked_at TIMESTAMP_NS, started_at TIMESTAMP_NS, who VARCHAR, arguments VARCHAR, progress VARCHAR, share DOUBLE,
  outcome VARCHAR, error VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, errand_id, seq);
