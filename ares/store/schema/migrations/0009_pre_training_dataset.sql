-- What: A model cites the version of the dataset that it learnt from.
-- Why: What a model learnt from is kept as it was, and can be checked out again.
-- Rollback: None needed: an older release leaves the column NULL.
ALTER TABLE training_runs ADD COLUMN IF NOT EXISTS dataset VARCHAR;
