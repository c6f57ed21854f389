-- config_versions: the settings of the installation as they changed, and changes that were refused.
-- Grain: version. ts = when it was taken up (or refused). Secrets are hidden in `changes` and `settings` (JSON).
CREATE TABLE IF NOT EXISTS config_versions (
  ts TIMESTAMP_NS, status SYMBOL, cause SYMBOL, instance SYMBOL, version LONG, fingerprint VARCHAR,
  changes VARCHAR, error VARCHAR, why VARCHAR, settings VARCHAR
) TIMESTAMP(ts) PARTITION BY YEAR WAL DEDUP UPSERT KEYS(ts, version);
