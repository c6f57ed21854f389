-- statement: ranges of the last seven days that are missing for more than fifteen minutes and not given up as lost.
SELECT count()::DOUBLE AS value
FROM (
  SELECT status, started_at FROM gaps WHERE ts > dateadd('d', -7, now()) LATEST ON ts PARTITION BY gap_id
)
WHERE status = 'open' AND started_at < dateadd('m', -15, now())
