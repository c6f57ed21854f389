-- How far the watermark (all up to it is stored) lags behind the clock, the worst of each interval.
SELECT ts AS time, symbol AS metric, max((ts::LONG - watermark::LONG) / 1000000000.0) AS value
FROM ingest_watermarks
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND venue IN (${venue:sqlstring}) AND symbol IN (${symbol:sqlstring})
  AND channel = 'trades'
SAMPLE BY $__interval
ORDER BY time
