-- services: a heartbeat of a running service; the last one of an orderly end has state 'stopped'.
-- Grain: service, instance, beat. capabilities = what it offers, JSON: [{"name": …, "labels": {…}}].
-- resident_mb in MiB, cpu_s = processor seconds since the start of the process. schema_level = number of the newest
-- migration that the release of the service knows.
CREATE TABLE IF NOT EXISTS services (
  ts TIMESTAMP_NS, service SYMBOL, instance SYMBOL, state SYMBOL, version SYMBOL, pid LONG, port LONG,
  detail VARCHAR, host SYMBOL, capabilities VARCHAR, resident_mb DOUBLE, cpu_s DOUBLE, open_files LONG, threads LONG,
  schema_level LONG
) TIMESTAMP(ts) PARTITION BY DAY TTL 30 DAYS WAL DEDUP UPSERT KEYS(ts, service, instance);

-- job_runs: a run of a scheduled job.
-- Grain: run_id, seq (0 = started, 1 = ended). ts = when the step happened.
CREATE TABLE IF NOT EXISTS job_runs (
  ts TIMESTAMP_NS, job SYMBOL, status SYMBOL, cause SYMBOL, run_id VARCHAR, seq LONG, slot TIMESTAMP_NS,
  duration_s DOUBLE, outcome VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY TTL 30 DAYS WAL DEDUP UPSERT KEYS(ts, run_id, seq);

-- errands: a step of what somebody asked for over the API and takes long: a job, a backtest, a change.
-- Grain: errand_id, seq (from 1). ts = when the step happened. state: asked, running, cancelling, done, failed,
-- cancelled, lost (its runner fell silent; nobody begins it anew). share of the work from 0 to 1.
CREATE TABLE IF NOT EXISTS errands (
  ts TIMESTAMP_NS, kind SYMBOL, state SYMBOL, asked_by SYMBOL, errand_id VARCHAR, seq LONG,
  asked_at TIMESTAMP_NS, started_at TIMESTAMP_NS, who VARCHAR, arguments VARCHAR, progress VARCHAR, share DOUBLE,
  outcome VARCHAR, error VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, errand_id, seq);

-- schema_migrations: a migration that ran here.
-- Grain: name. ts = when.
CREATE TABLE IF NOT EXISTS schema_migrations (
  ts TIMESTAMP_NS, name SYMBOL, digest VARCHAR
) TIMESTAMP(ts) PARTITION BY YEAR WAL DEDUP UPSERT KEYS(ts, name);

-- view_digests: the text of a view that was deployed here, by fingerprint.
-- Grain: view_name, deployment. ts = when.
CREATE TABLE IF NOT EXISTS view_digests (
  ts TIMESTAMP_NS, view_name SYMBOL, kind SYMBOL, digest VARCHAR
) TIMESTAMP(ts) PARTITION BY YEAR WAL DEDUP UPSERT KEYS(ts, view_name);

-- spans: a finished piece of work of a trace (OpenTelemetry); only where no collector is configured.
-- Grain: span_id. ts = start. A trace is about one minute of one instrument; parent_id = another span, or the trace's
-- root. attributes = JSON.
CREATE TABLE IF NOT EXISTS spans (
  ts TIMESTAMP_NS, name SYMBOL, service SYMBOL, status SYMBOL, trace_id VARCHAR, span_id VARCHAR, parent_id VARCHAR,
  duration_us LONG, attributes VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY TTL 30 DAYS WAL DEDUP UPSERT KEYS(ts, span_id);

-- logs: a line that a service said; the log files have those, too, that QuestDB was not there for.
-- Grain: service, instance, seq. event is our word, or a library's sentence; fields = JSON, what else the line says.
CREATE TABLE IF NOT EXISTS logs (
  ts TIMESTAMP_NS, service SYMBOL, level SYMBOL, instance SYMBOL, module SYMBOL, event VARCHAR, seq LONG,
  correlation_id VARCHAR, trace_id VARCHAR, fields VARCHAR
) TIMESTAMP(ts) PARTITION BY DAY TTL 14 DAYS WAL DEDUP UPSERT KEYS(ts, service, instance, seq);

-- maintenance: a window in which alarms and new risk wait was opened (until), or closed before its time.
-- Grain: seq.
CREATE TABLE IF NOT EXISTS maintenance (
  ts TIMESTAMP_NS, state SYMBOL, who SYMBOL, seq LONG, why VARCHAR, until TIMESTAMP_NS
) TIMESTAMP(ts) PARTITION BY YEAR WAL DEDUP UPSERT KEYS(ts, seq);

-- catalog_columns: what every column of every table and view is, and its unit; written by `ares db migrate`.
-- Grain: table_name, column_name. ts is the same for all. status: there, gone (of a column that was dropped).
CREATE TABLE IF NOT EXISTS catalog_columns (
  ts TIMESTAMP_NS, table_name SYMBOL, column_name SYMBOL, kind SYMBOL, type SYMBOL, unit SYMBOL, status SYMBOL,
  place LONG, meaning VARCHAR
) TIMESTAMP(ts) PARTITION BY YEAR WAL DEDUP UPSERT KEYS(ts, table_name, column_name);
