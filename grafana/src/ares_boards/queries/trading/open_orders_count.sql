-- How many orders may still be executed.
SELECT count() AS orders FROM orders_open
WHERE account IN (${account:sqlstring}) AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
