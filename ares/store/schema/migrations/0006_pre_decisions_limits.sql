-- Decisions say how far limits were drawn in, and which soft limits were passed.
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS limit_scale DECIMAL(28,10);
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS warnings VARCHAR;
