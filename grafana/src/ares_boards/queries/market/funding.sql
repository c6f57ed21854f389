-- Funding rates of perpetuals as they were paid, in percent of the position; positive: longs pay shorts.
SELECT ts AS time, concat(venue, ' ', symbol) AS metric, rate * 100.0 AS value
FROM funding
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND venue IN (${venue:sqlstring}) AND kind = 'settled'
ORDER BY time LIMIT 5000
