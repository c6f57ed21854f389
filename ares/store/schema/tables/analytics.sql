-- bar_facts: a bar as decisions saw it, frozen once the watermark passed its close and the lateness.
-- Grain: venue, symbol, interval, revision (ts = bar start). A correction is a new revision with a later known_at.
-- status: traded, quiet (the venue was silent), gap (we were). origin: trades, venue (its own candle).
CREATE TABLE IF NOT EXISTS bar_facts (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, interval SYMBOL, status SYMBOL, origin SYMBOL,
  known_at_kind SYMBOL, revision LONG, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE,
  cost DOUBLE, trades LONG, buy_volume DOUBLE, known_at TIMESTAMP_NS, input_hash VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, venue, symbol, interval, revision);

-- bars_1m_recent: bars_1m_checked of the last two hours, worked out once a minute for all features and signals of it.
-- Grain: venue, symbol, minute (ts = start). Who freezes writes it anew each time and reads it at once: ask the view.
CREATE TABLE IF NOT EXISTS bars_1m_recent (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, status SYMBOL, origin SYMBOL, open DOUBLE, high DOUBLE, low DOUBLE,
  close DOUBLE, volume DOUBLE, cost DOUBLE, trades LONG, buy_volume DOUBLE
) TIMESTAMP(ts) PARTITION BY HOUR TTL 1 DAY WAL DEDUP UPSERT KEYS(ts, venue, symbol);

-- feature_values: a feature as decisions saw it. NULL value = the inputs had a gap or were not there yet.
-- Grain: venue, symbol, name, version, revision (ts = start of the bar it belongs to).
CREATE TABLE IF NOT EXISTS feature_values (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, name SYMBOL, known_at_kind SYMBOL, version LONG, revision LONG,
  value DOUBLE, known_at TIMESTAMP_NS, input_hash VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, venue, symbol, name, version, revision);

-- signal_values: a strategy's wish as the trader could see it; target in [-1, 1], confidence in [0, 1].
-- Grain: venue, symbol, strategy, version, revision (ts = start of the bar it rests on).
CREATE TABLE IF NOT EXISTS signal_values (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, strategy SYMBOL, known_at_kind SYMBOL, model_version SYMBOL,
  version LONG, revision LONG, target DOUBLE, confidence DOUBLE, known_at TIMESTAMP_NS, watermark TIMESTAMP_NS,
  input_hash VARCHAR, trace_id VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, venue, symbol, strategy, version, revision);

-- predictions: the score of one model version for one bar: the probability that the next horizon's return is positive.
-- Grain: venue, symbol, model, version (ts = start of the bar it was computed from). role: champion, challenger; of a
-- bar one score is served, which signals read. NULL role: written before there were roles, and served.
CREATE TABLE IF NOT EXISTS predictions (
  ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL, model SYMBOL, version SYMBOL, known_at_kind SYMBOL, score DOUBLE,
  known_at TIMESTAMP_NS, role SYMBOL, served BOOLEAN
) TIMESTAMP(ts) PARTITION BY DAY TTL 1 YEAR WAL DEDUP UPSERT KEYS(ts, venue, symbol, model, version);

-- training_runs: a model that was fitted, on what, and how well it did out of sample.
-- Grain: run_id. ts = when training ended. null_share = share of NULLs over all candidate features. dataset = what it
-- learnt from, as name@version. status: ok, skipped (too little), refused (the dataset's quality, or a leak).
-- settings = JSON, what it was fitted by. brier, ece = calibration; net_share = earned out of sample after costs, of what
-- may be held, in `trades`; canary_auc = with shuffled labels; overfit_share, sharpe_deflated = probabilities.
CREATE TABLE IF NOT EXISTS training_runs (
  ts TIMESTAMP_NS, model SYMBOL, version SYMBOL, status SYMBOL, run_id VARCHAR, rows LONG, rows_test LONG,
  features VARCHAR, null_share DOUBLE, auc DOUBLE, log_loss DOUBLE, base_rate DOUBLE, train_from TIMESTAMP_NS,
  train_to TIMESTAMP_NS, artifact VARCHAR, artifact_sha256 VARCHAR, reason VARCHAR, dataset VARCHAR, family SYMBOL,
  settings VARCHAR, brier DOUBLE, ece DOUBLE, net_share DOUBLE, trades LONG, canary_auc DOUBLE, overfit_share DOUBLE,
  sharpe_deflated DOUBLE
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, run_id);

-- experiments: a recipe that a training tried before its test, and how it did there.
-- Grain: run_id, trial (ts = when the training ended). state: complete, pruned. params = JSON; log_loss in nats a row;
-- net_share = earned after costs, of what may be held.
CREATE TABLE IF NOT EXISTS experiments (
  ts TIMESTAMP_NS, model SYMBOL, family SYMBOL, state SYMBOL, run_id VARCHAR, trial LONG, params VARCHAR,
  log_loss DOUBLE, net_share DOUBLE
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, run_id, trial);

-- model_events: a step in the life of a version of a model; the newest champion or rolled_back is the model in use.
-- Grain: model, seq. event: registered, refused, candidate, challenger, champion, demoted, rolled_back.
CREATE TABLE IF NOT EXISTS model_events (
  ts TIMESTAMP_NS, model SYMBOL, version SYMBOL, event SYMBOL, who SYMBOL, seq LONG, reason VARCHAR, run_id VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, model, seq);

-- drift: how far a version in use is from what it learnt from, and how well it foresees, as one run of the job saw it.
-- Grain: venue, model, version, feature, metric (ts = the run's time). feature '' = the whole model. metric: psi, ks,
-- missing_rate (of features), score_psi, calibration (expected error), log_loss (nats). grade: ok, warn, fail, or
-- unknown where too few rows are there; warn, fail = above what. window_s = how far back the run looked.
CREATE TABLE IF NOT EXISTS drift (
  ts TIMESTAMP_NS, venue SYMBOL, model SYMBOL, version SYMBOL, role SYMBOL, feature SYMBOL, metric SYMBOL, grade SYMBOL,
  run_id VARCHAR, value DOUBLE, warn DOUBLE, fail DOUBLE, rows LONG, window_s DOUBLE
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, venue, model, version, feature, metric);
