-- How often each score was given, champion and challenger beside each other; a score is the probability of a rise.
SELECT score_from, champion, challenger FROM (
  SELECT round(floor(score * 20.0) / 20.0, 2)::VARCHAR AS score_from,
         sum(CASE WHEN coalesce(role, 'champion') = 'champion' THEN 1 ELSE 0 END) AS champion,
         sum(CASE WHEN role = 'challenger' THEN 1 ELSE 0 END) AS challenger
  FROM predictions
  WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND model IN (${model:sqlstring}) AND score IS NOT NULL
)
ORDER BY score_from
