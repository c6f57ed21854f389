-- bars_asof: the bars as they were known at a moment: of every bar the newest revision with known_at <= @t.
-- Grain: venue, symbol, interval, bar (ts = start). Columns as in bar_facts.
-- Bounds: DECLARE @t := the moment (default now), @from <= ts <= @to (default the last 24 hours). Inputs: bar_facts.
CREATE OR REPLACE VIEW bars_asof AS (
  DECLARE OVERRIDABLE @t := now(), OVERRIDABLE @from := dateadd('h', -24, now()), OVERRIDABLE @to := now()
  SELECT ts, venue, symbol, interval, status, origin, known_at_kind, revision, open, high, low, close, volume, cost,
         trades, buy_volume, known_at, input_hash
  FROM (
    SELECT ts, venue, symbol, interval, status, origin, known_at_kind, revision, open, high, low, close, volume, cost,
           trades, buy_volume, known_at, input_hash,
           row_number() OVER (PARTITION BY ts, venue, symbol, interval ORDER BY revision DESC) AS age
    FROM bar_facts
    WHERE ts >= @from AND ts <= @to AND known_at <= @t
  ) WHERE age = 1
  ORDER BY ts
);
