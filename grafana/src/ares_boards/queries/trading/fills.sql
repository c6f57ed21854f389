-- The last executions; trace_id leads to the way from the tick to the fill.
SELECT ts AS time, symbol, strategy, side, quantity::DOUBLE AS quantity, price::DOUBLE AS price, cost::DOUBLE AS cost,
       fee_quote::DOUBLE AS fee, liquidity, order_id, trace_id
FROM fills
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
  AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
ORDER BY time DESC LIMIT 100
