-- How long the venue took to answer an order, from sending to its word.
SELECT s.ts AS time, s.symbol AS metric, avg((a.ts::LONG - s.ts::LONG) / 1000000000.0) AS value
FROM (
  SELECT ts, symbol, order_id FROM order_events
  WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
    AND symbol IN (${symbol:sqlstring}) AND event = 'submitted'
) s
JOIN (
  SELECT order_id, min(ts) AS ts FROM order_events
  WHERE ts >= $__timeFrom() AND account IN (${account:sqlstring})
    AND event IN ('accepted', 'rejected', 'filled', 'partially_filled', 'canceled', 'expired')
) a ON a.order_id = s.order_id
SAMPLE BY $__interval
ORDER BY time
