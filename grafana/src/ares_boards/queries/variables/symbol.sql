-- The symbols that are collected from the chosen venues; 'none' where no trades are.
SELECT DISTINCT symbol FROM ingest_watermarks
WHERE venue IN (${venue:sqlstring}) AND channel = 'trades' AND ts >= dateadd('d', -7, now())
UNION ALL
SELECT 'none' AS symbol FROM (
  SELECT count() AS known FROM ingest_watermarks
  WHERE venue IN (${venue:sqlstring}) AND channel = 'trades' AND ts >= dateadd('d', -7, now())
) WHERE known = 0
