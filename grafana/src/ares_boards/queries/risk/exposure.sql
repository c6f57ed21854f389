-- Gross exposure at mark, beside the account's worth.
SELECT ts AS time, last(gross_exposure_quote::DOUBLE) AS gross_exposure, last(equity_quote::DOUBLE) AS equity
FROM equity
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
SAMPLE BY $__interval
ORDER BY time
