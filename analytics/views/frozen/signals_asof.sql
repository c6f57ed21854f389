-- signals_asof: the signals as they were known at a moment: of every signal the newest revision with known_at <= @t.
-- Grain: venue, symbol, strategy, version, minute (ts = start of the bar it rests on). target in [-1, 1] (spot: below 0
-- means flat), confidence in [0, 1], watermark = up to where the inputs were complete.
-- Bounds: DECLARE @t := the moment (default now), @from <= ts <= @to (default the last 24 hours). Inputs: signal_values.
CREATE OR REPLACE VIEW signals_asof AS (
  DECLARE OVERRIDABLE @t := now(), OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT f.ts, f.known_at, f.venue, f.symbol, f.strategy, f.version, f.target, f.confidence, f.model_version,
         f.watermark, f.known_at_kind, f.revision, f.input_hash
  FROM (
    SELECT v.ts, v.known_at, v.venue, v.symbol, v.strategy, v.version, v.target, v.confidence, v.model_version,
           v.watermark, v.known_at_kind, v.revision, v.input_hash,
           row_number() OVER (PARTITION BY v.ts, v.venue, v.symbol, v.strategy, v.version ORDER BY v.revision DESC) AS age
    FROM signal_values v
    WHERE v.ts >= @from AND v.ts <= @to AND v.known_at <= @t
  ) f WHERE f.age = 1
  ORDER BY f.ts
);
