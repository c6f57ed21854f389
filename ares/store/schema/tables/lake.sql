-- cold_partitions: a day of a table, venue and symbol in the cold tier, and whether it was proved equal to the hot one.
-- Grain: table_name, venue, symbol, revision (ts = start of the day). state: copied, proved, dropped (from hot).
-- row_hash = digest of the rows in the order of their keys. sizes in bytes.
CREATE TABLE IF NOT EXISTS cold_partitions (
  ts TIMESTAMP_NS, table_name SYMBOL, venue SYMBOL, symbol SYMBOL, state SYMBOL, revision LONG, rows LONG,
  row_hash VARCHAR, location VARCHAR, delta_version LONG, native_bytes LONG, parquet_bytes LONG, delta_bytes LONG,
  recorded_at TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, table_name, venue, symbol, revision);
