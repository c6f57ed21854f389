-- The spread, mean ask less mean bid, in 1/10,000 of the price between them.
SELECT ts AS time, symbol AS metric, (avg(ask) - avg(bid)) / (avg(ask) + avg(bid)) * 20000.0 AS value
FROM quotes
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
SAMPLE BY $__interval
ORDER BY time
