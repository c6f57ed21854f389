-- What was bought and sold by each strategy, in quote.
SELECT ts AS time, strategy AS metric, sum(cost::DOUBLE) AS value
FROM fills
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
  AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
SAMPLE BY $__interval
ORDER BY time
