-- How well each version foresees, champion and challengers beside each other: log loss in nats, lower is better.
SELECT ts AS time, concat(role, ' ', d.version) AS metric, avg(value) AS value
FROM drift d
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND model IN (${model:sqlstring}) AND metric = 'log_loss'
SAMPLE BY $__interval
ORDER BY time
