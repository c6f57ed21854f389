-- Checks of drift that failed in the newest look at the champion.
SELECT count() AS checks FROM (
  SELECT grade FROM drift
  WHERE model IN (${model:sqlstring}) AND role = 'champion' AND ts >= dateadd('d', -1, now())
  LATEST ON ts PARTITION BY venue, model, version, feature, metric
) WHERE grade = 'fail'
