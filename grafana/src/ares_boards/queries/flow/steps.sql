-- Steps of orders by the state they led to.
SELECT ts AS time, state AS metric, count()::DOUBLE AS value
FROM order_events
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
  AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
SAMPLE BY $__interval
ORDER BY time
