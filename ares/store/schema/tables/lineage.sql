-- datasets: a named, immutable version of data: what it was made of, where its bytes lie, whether they are whole.
-- Grain: name, version, status. status: made, retired. span_from, span_to = event times it holds (end excluded);
-- known_to = what was known later is not in it. gap_verdict: whole, gaps, unknown; quality_verdict: ok, warn, fail,
-- unknown. view_hashes, quality = JSON (why it was given up, where status is retired). sha256 is of the rows.
CREATE TABLE IF NOT EXISTS datasets (
  ts TIMESTAMP_NS, name SYMBOL, status SYMBOL, gap_verdict SYMBOL, version LONG, source VARCHAR, span_from TIMESTAMP_NS,
  span_to TIMESTAMP_NS, known_to TIMESTAMP_NS, location VARCHAR, delta_version LONG, rows LONG, sha256 VARCHAR,
  view_hashes VARCHAR, quality VARCHAR, made_by VARCHAR, quality_verdict SYMBOL
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, name, version, status);

-- lineage: something was made from something: venue, table, view, feature, dataset, model, prediction, signal, decision,
-- order, fill.
-- Grain: run_id, from and to. ts = when the job recorded it. names carry their version, as in rsi_14_v1.
CREATE TABLE IF NOT EXISTS lineage (
  ts TIMESTAMP_NS, job SYMBOL, from_kind SYMBOL, to_kind SYMBOL, from_name VARCHAR, to_name VARCHAR, run_id VARCHAR,
  detail VARCHAR
) TIMESTAMP(ts) PARTITION BY MONTH WAL DEDUP UPSERT KEYS(ts, run_id, from_kind, from_name, to_kind, to_name);
