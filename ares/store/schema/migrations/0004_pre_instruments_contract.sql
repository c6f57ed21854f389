-- Instruments say what a contract is.
ALTER TABLE instruments ADD COLUMN IF NOT EXISTS contract SYMBOL;
ALTER TABLE instruments ADD COLUMN IF NOT EXISTS contract_size DECIMAL(28,10);
