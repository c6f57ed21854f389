-- features_asof: the features as they were known at a moment: of every value the newest revision with known_at <= @t.
-- Grain: venue, symbol, name, version, minute (ts = start of the bar it belongs to). Columns as in feature_values.
-- Bounds: DECLARE @t := the moment (default now), @from <= ts <= @to (default the last 24 hours). Inputs: feature_values.
CREATE OR REPLACE VIEW features_asof AS (
  DECLARE OVERRIDABLE @t := now(), OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT f.ts, f.venue, f.symbol, f.name, f.version, f.value, f.revision, f.known_at, f.known_at_kind, f.input_hash
  FROM (
    SELECT v.ts, v.venue, v.symbol, v.name, v.version, v.value, v.revision, v.known_at, v.known_at_kind, v.input_hash,
           row_number() OVER (PARTITION BY v.ts, v.venue, v.symbol, v.name, v.version ORDER BY v.revision DESC) AS age
    FROM feature_values v
    WHERE v.ts >= @from AND v.ts <= @to AND v.known_at <= @t
  ) f WHERE f.age = 1
  ORDER BY f.ts
);
