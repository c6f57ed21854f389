-- The slowest recorded steps; trace_id leads to the whole way.
SELECT ts AS time, service, name, status, duration_us / 1000.0 AS duration_ms, trace_id
FROM spans
WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
  AND name IN ('ingest.batch', 'bar.freeze', 'decision', 'order.submit', 'fill.book')
ORDER BY duration_ms DESC LIMIT 20
