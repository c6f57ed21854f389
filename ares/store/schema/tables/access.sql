-- users_history: what was said of the users of this installation: roles, scopes, keys, passwords changed, lockouts.
-- Grain: user, seq. who = who did it; detail = the event (JSON), without any secret. See ares.security.access.events.
CREATE TABLE IF NOT EXISTS users_history (
  ts TIMESTAMP_NS, user SYMBOL, what SYMBOL, who SYMBOL, seq LONG, detail VARCHAR
) TIMESTAMP(ts) PARTITION BY YEAR WAL DEDUP UPSERT KEYS(ts, user, seq);
