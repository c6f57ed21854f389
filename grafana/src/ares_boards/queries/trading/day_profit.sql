-- Profit since midnight UTC, realised and unrealised.
SELECT ts AS time, account AS metric, last(day_pnl_quote::DOUBLE) AS value
FROM equity
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
SAMPLE BY $__interval
ORDER BY time
