-- features: values as they are known now, newest first: of each the newest revision.
DECLARE @from := %(since)s, @to := %(until)s
SELECT ts::long AS ts, venue, symbol, name, f.version AS version, value, revision, known_at::long AS known_at,
       known_at_kind, input_hash
FROM features_asof f WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
  AND (%(name)s = '' OR name = %(name)s)
ORDER BY ts DESC, venue, symbol, name LIMIT %(skip)s, %(end)s;

-- signals: what strategies wanted, as it is known now, newest first.
DECLARE @from := %(since)s, @to := %(until)s
SELECT ts::long AS ts, known_at::long AS known_at, venue, symbol, strategy, s.version AS version, target, confidence,
       model_version, watermark::long AS watermark, known_at_kind, revision, input_hash
FROM signals_asof s WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
  AND (%(strategy)s = '' OR strategy = %(strategy)s)
ORDER BY ts DESC, venue, symbol, strategy LIMIT %(skip)s, %(end)s;

-- predictions: scores of models, newest first.
SELECT ts::long AS ts, venue, symbol, model, p.version AS version, known_at_kind, score, known_at::long AS known_at, role,
       served
FROM predictions p WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(symbol)s = '' OR symbol = %(symbol)s)
  AND (%(model)s = '' OR model = %(model)s)
ORDER BY ts DESC, venue, symbol, model, version LIMIT %(skip)s, %(end)s;

-- models: what happened to models (trained, validated, promoted, rolled back), newest first.
SELECT ts::long AS ts, model, m.version AS version, event, who, seq, reason, run_id
FROM model_events m WHERE ts >= %(since)s AND ts <= %(until)s AND (%(model)s = '' OR model = %(model)s)
ORDER BY ts DESC, model, seq DESC LIMIT %(skip)s, %(end)s;

-- training_runs: what was trained on what, and how good it was out of sample, newest first.
SELECT ts::long AS ts, model, t.version AS version, status, run_id, family, rows, rows_test, auc, log_loss, brier, ece,
       base_rate, net_share, trades, canary_auc, overfit_share, sharpe_deflated, train_from::long AS train_from,
       train_to::long AS train_to, dataset, reason
FROM training_runs t WHERE ts >= %(since)s AND ts <= %(until)s AND (%(model)s = '' OR model = %(model)s)
ORDER BY ts DESC, run_id LIMIT %(skip)s, %(end)s;

-- drift: how far inputs, scores and results of models moved, newest first.
SELECT ts::long AS ts, venue, model, d.version AS version, role, feature, metric, grade, run_id, value, warn, fail, rows,
       window_s
FROM drift d WHERE ts >= %(since)s AND ts <= %(until)s AND (%(model)s = '' OR model = %(model)s)
  AND (%(venue)s = '' OR venue = %(venue)s) AND (%(grade)s = '' OR grade = %(grade)s)
ORDER BY ts DESC, model, version, feature, metric LIMIT %(skip)s, %(end)s;

-- datasets: versions of data that models were trained on, newest first.
SELECT ts::long AS ts, name, status, gap_verdict, quality_verdict, d.version AS version, source,
       span_from::long AS span_from, span_to::long AS span_to, known_to::long AS known_to, rows, sha256, made_by
FROM datasets d WHERE ts >= %(since)s AND ts <= %(until)s AND (%(name)s = '' OR name = %(name)s)
ORDER BY ts DESC, name, version LIMIT %(skip)s, %(end)s;

-- backtests: runs and their figures, newest first.
SELECT ts::long AS ts, strategy, venue, tier, status, run_id, b.version AS version, symbols, from_ts::long AS from_ts,
       to_ts::long AS to_ts, start_quote, end_quote, pnl_quote, return_share, sharpe, sortino, calmar,
       drawdown_share_max, drawdown_s_max, win_share, profit_factor, fees_quote, turnover_quote, exposure_share, trades,
       fills, refused, seconds, fills_hash, reason
FROM backtests b WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(strategy)s = '' OR strategy = %(strategy)s) AND (%(run_id)s = '' OR run_id = %(run_id)s)
ORDER BY ts DESC, run_id LIMIT %(skip)s, %(end)s;

-- parity: decisions taken live beside those of a replay, newest first.
SELECT ts::long AS ts, account, venue, symbol, strategy, cause, p.version AS version, equal, day::long AS day, live,
       replayed, compared_at::long AS compared_at
FROM parity p WHERE ts >= %(since)s AND ts <= %(until)s
  AND (%(accounts)s = '' OR account ~ %(accounts)s) AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  AND (%(account)s = '' OR account = %(account)s) AND (%(strategy)s = '' OR strategy = %(strategy)s)
ORDER BY ts DESC, account, symbol, strategy LIMIT %(skip)s, %(end)s;

-- lineage: what was made from what, newest first.
SELECT ts::long AS ts, job, from_kind, from_name, to_kind, to_name, run_id, detail
FROM lineage WHERE ts >= %(since)s AND ts <= %(until)s AND (%(name)s = '' OR from_name = %(name)s OR to_name = %(name)s)
ORDER BY ts DESC, run_id, from_name, to_name LIMIT %(skip)s, %(end)s;
