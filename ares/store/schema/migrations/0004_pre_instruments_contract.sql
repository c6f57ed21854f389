-- What: Instruments say what a contract is.
-- Why: Perpetuals need the size of a contract to tell amounts in the base currency.
-- Rollback: Stop collecting perpetuals first: an older release takes their instruments for spot. The columns may stay.
ALTER TABLE instruments ADD COLUMN IF NOT EXISTS contract SYMBOL;
ALTER TABLE instruments ADD COLUMN IF NOT EXISTS contract_size DECIMAL(28,10);
