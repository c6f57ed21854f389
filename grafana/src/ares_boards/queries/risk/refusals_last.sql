-- The last refusals: the rule, what it saw, what it allows. observed NULL: it could not be known.
SELECT ts AS time, strategy, symbol, rule, observed::DOUBLE AS observed, limit_value::DOUBLE AS limit_value,
       unit, reason
FROM decisions
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring}) AND action = 'refuse'
  AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
ORDER BY time DESC LIMIT 100
