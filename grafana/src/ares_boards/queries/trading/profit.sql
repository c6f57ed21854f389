-- Profit by where it comes from: closed positions, open ones, funding.
SELECT ts AS time, last(realised_quote::DOUBLE) AS realised, last(unrealised_quote::DOUBLE) AS unrealised,
       last(funding_quote::DOUBLE) AS funding
FROM equity
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
SAMPLE BY $__interval
ORDER BY time
