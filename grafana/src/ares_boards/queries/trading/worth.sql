-- The account's worth at mark, for the headline.
SELECT ts AS time, account AS metric, last(equity_quote::DOUBLE) AS value
FROM equity
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
SAMPLE BY $__interval
ORDER BY time
