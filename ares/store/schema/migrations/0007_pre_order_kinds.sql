-- What: Orders that wait for a price, or belong to a pair, say so.
-- Why: Protection stands at the venue as stops and pairs.
-- Rollback: Lift protective orders first: an older release cannot read their events. The columns may stay.
ALTER TABLE order_events ADD COLUMN IF NOT EXISTS stop_price DECIMAL(28,10);
ALTER TABLE order_events ADD COLUMN IF NOT EXISTS trailing_bips LONG;
ALTER TABLE order_events ADD COLUMN IF NOT EXISTS list_id VARCHAR;
