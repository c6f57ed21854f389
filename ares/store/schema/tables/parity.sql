-- parity: a decision that was taken live beside the one that a replay of its day comes to.
-- Grain: account, venue, symbol, strategy, version, signal. ts = the signal's bar; day = the day that was replayed.
-- live, replayed: JSON; empty where one of both decided nothing. equal: both want the same. cause: why not, one of
-- late_data, restart, risk_state, manual, limits_changed, not_played, venue_refusal, carried, latency, unknown.
CREATE TABLE IF NOT EXISTS parity (
  ts TIMESTAMP_NS, account SYMBOL, venue SYMBOL, symbol SYMBOL, strategy SYMBOL, cause SYMBOL, version LONG,
  equal BOOLEAN, day TIMESTAMP_NS, live VARCHAR, replayed VARCHAR, compared_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, account, venue, symbol, strategy, version);
