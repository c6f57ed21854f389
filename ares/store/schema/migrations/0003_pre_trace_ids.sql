-- What rests on a signal says which trace leads from the ticks to it.
ALTER TABLE signal_values ADD COLUMN IF NOT EXISTS trace_id VARCHAR;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS trace_id VARCHAR;
ALTER TABLE order_events ADD COLUMN IF NOT EXISTS trace_id VARCHAR;
ALTER TABLE fills ADD COLUMN IF NOT EXISTS trace_id VARCHAR;
