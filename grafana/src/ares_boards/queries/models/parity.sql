-- Decisions that a replay of their day does not come to, by cause.
SELECT ts AS time, cause AS metric, count()::DOUBLE AS value
FROM parity
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND NOT equal AND strategy IN (${strategy:sqlstring})
SAMPLE BY $__interval
ORDER BY time
