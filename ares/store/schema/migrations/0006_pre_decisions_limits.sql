-- What: Decisions say how far limits were drawn in, and which soft limits were passed.
-- Why: A refusal that a drawn-in limit caused must be told from one that the setting caused.
-- Rollback: None needed: an older release leaves the columns NULL.
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS limit_scale DECIMAL(28,10);
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS warnings VARCHAR;
