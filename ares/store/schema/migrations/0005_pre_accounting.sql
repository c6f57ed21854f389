-- What: Positions by the oldest lot first, funding, fees by what they were paid in; equity beside its capital.
-- Why: Profit must equal an oracle's to the last digit, by both ways of costing.
-- Rollback: An older release leaves the columns NULL: the figures of its time come back by
--   `ares events replay --rebuild` under the newer release. The columns may stay.
ALTER TABLE fills ADD COLUMN IF NOT EXISTS fee_quote DECIMAL(28,10);
ALTER TABLE position_events ADD COLUMN IF NOT EXISTS realised_fifo_quote DECIMAL(28,10);
ALTER TABLE position_events ADD COLUMN IF NOT EXISTS cost_fifo DECIMAL(28,10);
ALTER TABLE position_events ADD COLUMN IF NOT EXISTS funding_quote DECIMAL(28,10);
ALTER TABLE position_events ADD COLUMN IF NOT EXISTS fees_base DECIMAL(28,10);
ALTER TABLE position_events ADD COLUMN IF NOT EXISTS fees_other_quote DECIMAL(28,10);
ALTER TABLE position_events ADD COLUMN IF NOT EXISTS rebates_quote DECIMAL(28,10);
ALTER TABLE equity ADD COLUMN IF NOT EXISTS realised_fifo_quote DECIMAL(28,10);
ALTER TABLE equity ADD COLUMN IF NOT EXISTS funding_quote DECIMAL(28,10);
ALTER TABLE equity ADD COLUMN IF NOT EXISTS capital_quote DECIMAL(28,10);
