-- What the account is worth at mark, beside the capital that was put in.
SELECT ts AS time, last(equity_quote::DOUBLE) AS equity, last(capital_quote::DOUBLE) AS capital
FROM equity
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
SAMPLE BY $__interval
ORDER BY time
