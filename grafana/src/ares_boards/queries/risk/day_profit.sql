-- Profit since midnight UTC; the red line is the loss that stops buying.
SELECT ts AS time, min(day_pnl_quote::DOUBLE) AS day_profit
FROM equity
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
SAMPLE BY $__interval
ORDER BY time
