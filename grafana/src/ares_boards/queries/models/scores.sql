-- The mean score of each version over time.
SELECT ts AS time, p.version AS metric, avg(score) AS value
FROM predictions p
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND model IN (${model:sqlstring}) AND symbol IN (${symbol:sqlstring})
SAMPLE BY $__interval
ORDER BY time
