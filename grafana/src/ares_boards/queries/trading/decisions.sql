-- What the trading cycles decided, by action.
SELECT ts AS time, action AS metric, count()::DOUBLE AS value
FROM decisions
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
  AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
SAMPLE BY $__interval
ORDER BY time
