-- What: A training says by what it was fitted, how calibrated it is, what it would have earned and what its canaries did.
-- Why: A model is judged by more than one figure, and can be fitted again.
-- Rollback: None needed: an older release leaves the columns NULL and does not know the table.
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS family SYMBOL;
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS settings VARCHAR;
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS brier DOUBLE;
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS ece DOUBLE;
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS net_share DOUBLE;
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS trades LONG;
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS canary_auc DOUBLE;
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS overfit_share DOUBLE;
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS sharpe_deflated DOUBLE;
CREATE TABLE IF NOT EXISTS experiments (
  ts TIMESTAMP_NS, model SYMBOL, family SYMBOL, state SYMBOL, run_id VARCHAR, trial LONG, params VARCHAR,
  log_loss DOUBLE, net_share DOUBLE
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, run_id, trial);
