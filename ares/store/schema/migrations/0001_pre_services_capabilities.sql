-- What: Heartbeats say on which host a service runs and what it offers.
-- Why: Services are found by what they offer, on whatever machine they run.
-- Rollback: None needed: an older release leaves the columns NULL. Nothing but the registry reads them.
ALTER TABLE services ADD COLUMN IF NOT EXISTS host SYMBOL;
ALTER TABLE services ADD COLUMN IF NOT EXISTS capabilities VARCHAR;
