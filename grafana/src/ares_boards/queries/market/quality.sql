-- The newest result of every check of stored data, the worst first.
SELECT grade, check_name, venue, symbol, channel, observed, warn_limit, fail_limit, unit, detail
FROM (
  SELECT * FROM quality_checks WHERE venue IN (${venue:sqlstring}) AND ts >= dateadd('d', -2, now())
  LATEST ON ts PARTITION BY check_name, venue, symbol, channel
)
ORDER BY CASE grade WHEN 'fail' THEN 0 WHEN 'warn' THEN 1 ELSE 2 END, check_name, symbol LIMIT 200
