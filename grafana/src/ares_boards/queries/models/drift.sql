-- The newest figure of every check of the versions in use, the worst first.
SELECT grade, role, d.version AS model_version, feature, metric, value, warn, fail, rows, ts AS looked_at
FROM (
  SELECT * FROM drift WHERE model IN (${model:sqlstring}) AND ts >= dateadd('d', -2, now())
  LATEST ON ts PARTITION BY venue, model, version, feature, metric
) d
ORDER BY CASE grade WHEN 'fail' THEN 0 WHEN 'warn' THEN 1 WHEN 'unknown' THEN 2 ELSE 3 END, value DESC LIMIT 100
