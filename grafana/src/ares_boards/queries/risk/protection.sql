-- What became of protective orders, and how long a position stood without.
SELECT ts AS time, symbol, strategy, event, quantity::DOUBLE AS quantity, unprotected_s, reason
FROM protection_events
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
  AND symbol IN (${symbol:sqlstring}) AND strategy IN (${strategy:sqlstring})
ORDER BY time DESC LIMIT 50
