-- What: A table of what services say.
-- Why: Who looks for a cause asks one place, by SQL, by the API or over the stream, and not a file of each machine.
-- Rollback: None needed: an older release does not look at the table.
CREATE TABLE IF NOT EXISTS logs (
  ts TIMESTAMP_NS, service SYMBOL, level SYMBOL, instance SYMBOL, module SYMBOL, event VARCHAR, seq LONG,
  correlation_id VARCHAR, trace_id VARCHAR, fields VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY TTL 14 DAYS WAL DEDUP UPSERT KEYS(ts, service, instance, seq);
