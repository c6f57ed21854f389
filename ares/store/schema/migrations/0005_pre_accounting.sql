-- Positions by the oldest lot first, funding, fees by what they were paid in; equity beside its capital.
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
