-- Versions of models that came into use or left it.
SELECT ts AS time, concat(model, ' ', e.version, ' ', event, ': ', reason) AS text, concat('model,', event) AS tags
FROM model_events e
WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
  AND event IN ('champion', 'challenger', 'demoted', 'rolled_back', 'refused')
ORDER BY time LIMIT 200
