-- champion: the version of a model that is in use: the newest that became champion, or came back as one.
SELECT version, artifact_sha256, auc, log_loss, dataset, settings FROM training_runs
WHERE model = %(model)s AND status = 'ok' AND version IN (
  SELECT version FROM (
    SELECT version, ts, seq FROM model_events WHERE model = %(model)s AND event IN ('champion', 'rolled_back')
    ORDER BY ts DESC, seq DESC LIMIT 1
  )
) ORDER BY ts DESC LIMIT 1;

-- newest_model: the newest version of a model that was fitted.
SELECT version, artifact_sha256, auc, log_loss, dataset, settings FROM training_runs
WHERE model = %(model)s AND status = 'ok' ORDER BY ts DESC LIMIT 1;

-- staged: how many steps of a model are recorded.
SELECT count() AS steps FROM model_events WHERE model = %(model)s;

-- challenger: the version of a model that is scored beside the champion: the newest one, unless a later step ended that.
SELECT version, artifact_sha256, auc, log_loss, dataset, settings FROM training_runs
WHERE model = %(model)s AND status = 'ok' AND version IN (
  SELECT version FROM (
    SELECT version, ts, seq FROM (
      SELECT version, event, ts, seq FROM model_events WHERE model = %(model)s AND event <> 'registered'
      LATEST ON ts PARTITION BY version
    ) WHERE event = 'challenger' ORDER BY ts DESC, seq DESC LIMIT 1
  )
) ORDER BY ts DESC LIMIT 1;

-- trained: what a version was fitted on and by, and how it did out of sample.
SELECT version, status, dataset, features, artifact, artifact_sha256, auc, log_loss, brier, ece, net_share, trades,
       canary_auc, overfit_share, sharpe_deflated, family, settings, rows, rows_test, train_from::long AS train_from_ns,
       train_to::long AS train_to_ns, reason
FROM training_runs WHERE model = %(model)s AND version = %(version)s ORDER BY ts DESC LIMIT 1;

-- events: the steps of a model, newest first.
SELECT ts, model, version, event, who, reason, run_id, seq FROM model_events WHERE model = %(model)s
ORDER BY ts DESC, seq DESC LIMIT 200;

-- versions: the fitted versions of a model, newest first.
SELECT ts, version, family, dataset, rows, rows_test, auc, log_loss, ece, net_share, trades FROM training_runs
WHERE model = %(model)s AND status = 'ok' ORDER BY ts DESC LIMIT 50;

-- scores: what two versions said of the same bars, and the closes of the bars.
SELECT p.ts::long AS ts_ns, p.symbol, p.score AS first, q.score AS second
FROM predictions p JOIN predictions q ON p.ts = q.ts AND p.venue = q.venue AND p.symbol = q.symbol
  AND p.model = q.model
WHERE p.venue = %(venue)s AND p.model = %(model)s AND p.version = %(first)s AND q.version = %(second)s
  AND p.ts >= %(from)s AND q.ts >= %(from)s
ORDER BY ts_ns LIMIT %(rows_max)s;

-- closes: the closes of frozen bars since a moment.
DECLARE @t := '2200-01-01T00:00:00Z', @from := %(from)s, @to := '2200-01-01T00:00:00Z'
SELECT ts::long AS ts_ns, symbol, status, origin, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_asof WHERE venue = %(venue)s AND interval = '1m';

-- sides: what a strategy wanted of bars since a moment, the newest revision of each.
DECLARE @t := '2200-01-01T00:00:00Z', @from := %(from)s, @to := '2200-01-01T00:00:00Z'
SELECT ts::long AS ts_ns, symbol, target FROM signals_asof
WHERE venue = %(venue)s AND strategy = %(strategy)s AND version = %(version)s;

-- looks_ahead: features and signals whose newest proof found that they know the future.
SELECT view_name FROM (
  SELECT channel AS view_name, grade FROM quality_checks
  WHERE venue = %(venue)s AND check_name = 'feature_look_ahead'
  LATEST ON ts PARTITION BY check_name, venue, symbol, channel
) WHERE grade = 'fail' ORDER BY view_name;

-- view_hashes: the text of every view that is deployed, by fingerprint.
SELECT view_name, digest FROM view_digests LATEST ON ts PARTITION BY view_name;

-- scored: which versions of a model have scored which bars of a span, and whose score is served. What was written before
-- there were roles was served.
SELECT ts::long AS ts_ns, symbol, version, (served OR role IS NULL) AS served FROM predictions
WHERE venue = %(venue)s AND model = %(model)s AND ts >= %(from)s AND ts <= %(to)s;
