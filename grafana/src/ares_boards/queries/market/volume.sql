-- What was traded, in quote, by symbol.
SELECT ts AS time, symbol AS metric, sum(cost) AS value
FROM bars_1m
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
SAMPLE BY $__interval
ORDER BY time
