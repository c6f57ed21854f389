-- What: What rests on a signal says which trace leads from the ticks to it.
-- Why: One id leads from a tick to the fill that it caused.
-- Rollback: None needed: an older release leaves the columns NULL; such rows have no trace to show.
ALTER TABLE signal_values ADD COLUMN IF NOT EXISTS trace_id VARCHAR;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS trace_id VARCHAR;
ALTER TABLE order_events ADD COLUMN IF NOT EXISTS trace_id VARCHAR;
ALTER TABLE fills ADD COLUMN IF NOT EXISTS trace_id VARCHAR;
