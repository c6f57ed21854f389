-- Orders that may still be executed, the newest first.
SELECT ts AS time, symbol, strategy, side, type, state, quantity::DOUBLE AS quantity, price::DOUBLE AS price,
       remaining::DOUBLE AS remaining, order_id
FROM orders_open
WHERE account IN (${account:sqlstring}) AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
ORDER BY time DESC LIMIT 100
