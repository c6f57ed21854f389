-- Where the time goes from a tick to an order, by step of recorded traces, in the order in which they happen.
SELECT name AS step, avg(duration_us) / 1000.0 AS mean_ms, approx_percentile(duration_us, 0.95, 2) / 1000.0 AS p95_ms,
       count() AS spans
FROM spans
WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
  AND name IN ('ingest.batch', 'bar.freeze', 'decision', 'order.submit', 'fill.book')
GROUP BY name
ORDER BY CASE name WHEN 'ingest.batch' THEN 0 WHEN 'bar.freeze' THEN 1 WHEN 'decision' THEN 2 WHEN 'order.submit' THEN 3
         ELSE 4 END
