-- The last trainings, how well they did out of sample and what they earned there after costs.
SELECT ts AS time, model, r.version AS model_version, status, family, rows, auc, log_loss, ece, net_share,
       overfit_share, dataset, reason
FROM training_runs r WHERE model IN (${model:sqlstring})
ORDER BY time DESC LIMIT 50
