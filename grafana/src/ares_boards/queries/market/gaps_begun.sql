-- Gaps by the moment they were first seen and their cause.
SELECT ts AS time, cause AS metric, count()::DOUBLE AS value
FROM gaps
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
  AND revision = 0
SAMPLE BY $__interval
ORDER BY time
