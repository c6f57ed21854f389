-- Settings that were taken up, releases that started and migrations that ran.
SELECT time, text, tags FROM (
  SELECT ts AS time, concat('settings ', status, ': ', coalesce(why, cause)) AS text, 'config' AS tags
  FROM config_versions WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
  UNION ALL
  SELECT ts AS time, concat('migration ', name) AS text, 'deploy' AS tags
  FROM schema_migrations WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
  UNION ALL
  SELECT min(ts) AS time, concat(service, ' runs release ', r.version) AS text, 'deploy' AS tags
  FROM services r WHERE ts >= $__timeFrom() AND ts <= $__timeTo() GROUP BY service, r.version
) ORDER BY time LIMIT 200
