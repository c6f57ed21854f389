-- newest_model: the newest version of a model that was fitted.
SELECT version, features, artifact, artifact_sha256, auc, train_to::long AS train_to_ns FROM training_runs
WHERE model = %(model)s AND status = 'ok' ORDER BY ts DESC LIMIT 1;

-- training_features: the features of a venue as known now, for training.
DECLARE @t := '2200-01-01T00:00:00Z', @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, symbol, name, version, value FROM features_asof WHERE venue = %(venue)s AND symbol = %(symbol)s;

-- training_bars: the bars of a venue as known now, for labels.
DECLARE @t := '2200-01-01T00:00:00Z', @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, symbol, status, origin, open, high, low, close, volume, cost, trades, buy_volume
FROM bars_asof WHERE venue = %(venue)s AND symbol = %(symbol)s AND interval = '1m';

-- scored: the bars of a span that some version of a model has scored.
SELECT DISTINCT ts::long AS ts_ns, symbol FROM predictions
WHERE venue = %(venue)s AND model = %(model)s AND ts >= %(from)s AND ts <= %(to)s;
