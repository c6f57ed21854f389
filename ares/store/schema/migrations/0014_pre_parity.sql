-- What: A table of live decisions beside those of their replay.
-- Why: A backtest that does not come to what was done live is no evidence, and a difference wants a cause.
-- Rollback: None needed: an older release does not look at the table.
CREATE TABLE IF NOT EXISTS parity (
  ts TIMESTAMP_NS, account SYMBOL, venue SYMBOL, symbol SYMBOL, strategy SYMBOL, cause SYMBOL, version LONG,
  equal BOOLEAN, day TIMESTAMP_NS, live VARCHAR, replayed VARCHAR, compared_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, account, venue, symbol, strategy, version);
