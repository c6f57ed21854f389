-- Heartbeats say on which host a service runs and what it offers.
ALTER TABLE services ADD COLUMN IF NOT EXISTS host SYMBOL;
ALTER TABLE services ADD COLUMN IF NOT EXISTS capabilities VARCHAR;
