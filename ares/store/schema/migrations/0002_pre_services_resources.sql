-- Heartbeats say what a process uses.
ALTER TABLE services ADD COLUMN IF NOT EXISTS resident_mb DOUBLE;
ALTER TABLE services ADD COLUMN IF NOT EXISTS cpu_s DOUBLE;
ALTER TABLE services ADD COLUMN IF NOT EXISTS open_files LONG;
ALTER TABLE services ADD COLUMN IF NOT EXISTS threads LONG;
