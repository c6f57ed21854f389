-- What: Heartbeats say which migrations a service's release knows.
-- Why: A post migration may run only once no release runs that knows nothing of it.
-- Rollback: None needed: an older release leaves the column NULL, which counts as older than every migration.
ALTER TABLE services ADD COLUMN IF NOT EXISTS schema_level LONG;
