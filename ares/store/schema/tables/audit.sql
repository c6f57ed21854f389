-- audit: who did what, from which state to which, and why; mirrored from the chain in the control store.
-- Grain: writer, seq. before, after = JSON. hash = SHA-256 over previous_hash and the entry (see docs/adr).
CREATE TABLE IF NOT EXISTS audit (
  ts TIMESTAMP_NS, writer SYMBOL, who SYMBOL, what SYMBOL, seq LONG, before VARCHAR, after VARCHAR, why VARCHAR,
  correlation_id VARCHAR, previous_hash VARCHAR, hash VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, writer, seq);
