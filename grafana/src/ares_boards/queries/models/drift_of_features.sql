-- How far each feature lies from what the champion learnt from: population stability index.
SELECT ts AS time, feature AS metric, max(value) AS value
FROM drift
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND model IN (${model:sqlstring})
  AND metric = 'psi' AND role = 'champion'
SAMPLE BY $__interval
ORDER BY time
