-- Executions of our orders, one mark each.
SELECT ts AS time, concat(side, ' ', quantity::VARCHAR, ' ', symbol, ' at ', price::VARCHAR) AS text,
       concat('fill,', side) AS tags
FROM fills
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
  AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
ORDER BY time LIMIT 500
