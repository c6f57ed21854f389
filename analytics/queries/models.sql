-- newest_model: the newest version of a model that was fitted.
SELECT version, features, artifact, artifact_sha256, auc, train_to::long AS train_to_ns FROM training_runs
WHERE model = %(model)s AND status = 'ok' ORDER BY ts DESC LIMIT 1;

-- scored: the bars of a span that some version of a model has scored.
SELECT DISTINCT ts::long AS ts_ns, symbol FROM predictions
WHERE venue = %(venue)s AND model = %(model)s AND ts >= %(from)s AND ts <= %(to)s;
