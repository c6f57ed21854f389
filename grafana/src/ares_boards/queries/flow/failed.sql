-- Orders that were rejected, never sent, ended without an execution, or of which nobody knows what became of them.
SELECT ts AS time, symbol, strategy, side, state, event, quantity::DOUBLE AS quantity, reason, order_id, trace_id
FROM order_events
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
  AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
  AND (state IN ('REJECTED', 'UNKNOWN') OR event = 'not_sent' OR (state = 'EXPIRED' AND filled_quantity::DOUBLE = 0.0))
ORDER BY time DESC LIMIT 100
