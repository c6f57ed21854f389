-- All recorded steps of one trace, in the order in which they began.
SELECT ts AS time, service, name, status, duration_us / 1000.0 AS duration_ms, attributes
FROM spans WHERE trace_id = '${trace}' AND ts >= dateadd('d', -30, now())
ORDER BY time LIMIT 500
