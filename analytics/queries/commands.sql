-- features_now: of every feature the newest frozen value per symbol.
SELECT f.name, f.version, f.symbol, f.ts, f.value, f.known_at FROM features_asof f
LATEST ON ts PARTITION BY venue, symbol, name, version;

-- signals_now: of every strategy the newest signal per symbol.
SELECT s.strategy, s.version, s.symbol, s.ts, s.target, s.confidence, s.model_version, s.known_at, s.known_at_kind
FROM signals s LATEST ON ts PARTITION BY venue, strategy, version, symbol;

-- runs: the newest training runs.
SELECT ts, model, version, status, rows, rows_test, auc, log_loss, base_rate, null_share, train_to, reason
FROM training_runs ORDER BY ts DESC LIMIT 20;
