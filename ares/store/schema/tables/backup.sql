-- backups: a copy that was made, or was not. kind: market (QuestDB by checkpoint), journal (control store);
-- check: none was made, the repository was read and found sound, or not.
-- Grain: backup_id. ts = when it ended. covers_to = everything acknowledged before is in it. sizes in bytes; added =
-- what was new to the repository. error = empty when status is ok.
CREATE TABLE IF NOT EXISTS backups (
  ts TIMESTAMP_NS, kind SYMBOL, status SYMBOL, backup_id VARCHAR, snapshot_id VARCHAR, repository VARCHAR,
  covers_to TIMESTAMP_NS, duration_s DOUBLE, checkpoint_s DOUBLE, files LONG, bytes_total LONG, bytes_added LONG,
  error VARCHAR
) TIMESTAMP(ts) PARTITION BY YEAR WAL DEDUP UPSERT KEYS(ts, backup_id);

-- restore_drills: a restore that was tried and compared. status: ok (proved), failed.
-- Grain: drill_id. ts = when it ended. rpo_* = seconds of data that a disaster at the start of the drill had cost;
-- rto_s = from the decision to restore until the restored database answered. differences = partitions unlike the source.
CREATE TABLE IF NOT EXISTS restore_drills (
  ts TIMESTAMP_NS, status SYMBOL, drill_id VARCHAR, backup_id VARCHAR, snapshot_id VARCHAR, proved_to TIMESTAMP_NS,
  rpo_market_s DOUBLE, rpo_journal_s DOUBLE, rto_s DOUBLE, bytes_restored LONG, tables LONG, partitions LONG,
  rows LONG, differences LONG, error VARCHAR
) TIMESTAMP(ts) PARTITION BY YEAR WAL DEDUP UPSERT KEYS(ts, drill_id);
