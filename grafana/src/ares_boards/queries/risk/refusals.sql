-- Orders that a rule refused, by rule.
SELECT ts AS time, rule AS metric, count()::DOUBLE AS value
FROM decisions
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring}) AND action = 'refuse'
  AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
SAMPLE BY $__interval
ORDER BY time
