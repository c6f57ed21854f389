-- What executions cost more than the mark at their decision, in 1/10,000; below 0: better than the mark.
SELECT f.ts AS time, f.strategy AS metric,
       avg(CASE f.side WHEN 'buy' THEN 1.0 ELSE -1.0 END * (f.price::DOUBLE / d.mark - 1.0) * 10000.0) AS value
FROM (
  SELECT ts, strategy, side, price, order_id FROM fills
  WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
    AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
) f
JOIN (
  SELECT client_order_id, last(mark::DOUBLE) AS mark FROM decisions
  WHERE ts >= dateadd('h', -1, $__timeFrom()::TIMESTAMP) AND ts <= $__timeTo() AND account IN (${account:sqlstring})
    AND client_order_id IS NOT NULL
) d ON d.client_order_id = f.order_id
SAMPLE BY $__interval
ORDER BY time
