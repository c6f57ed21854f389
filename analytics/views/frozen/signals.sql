-- signals: the contract between research and trading, as known now: the newest revision of every signal.
-- Grain: venue, symbol, strategy, version, minute. Columns and bounds as in signals_asof (default the last 24 hours).
-- The current ones: SELECT * FROM signals LATEST ON ts PARTITION BY strategy, symbol. Inputs: signal_values.
-- (The columns are named one by one: over SELECT * QuestDB takes a bare `version` for its version() function.)
CREATE OR REPLACE VIEW signals AS (
  SELECT s.ts, s.known_at, s.venue, s.symbol, s.strategy, s.version, s.target, s.confidence, s.model_version,
         s.watermark, s.known_at_kind, s.revision, s.input_hash
  FROM signals_asof s
);
