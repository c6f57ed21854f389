-- What: Heartbeats say what a process uses.
-- Why: Growth of memory, of open files and of threads shows over days and releases.
-- Rollback: None needed: an older release leaves the columns NULL, and the job `leaks` passes over NULL.
ALTER TABLE services ADD COLUMN IF NOT EXISTS resident_mb DOUBLE;
ALTER TABLE services ADD COLUMN IF NOT EXISTS cpu_s DOUBLE;
ALTER TABLE services ADD COLUMN IF NOT EXISTS open_files LONG;
ALTER TABLE services ADD COLUMN IF NOT EXISTS threads LONG;
