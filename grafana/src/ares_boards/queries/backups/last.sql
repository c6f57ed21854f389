-- The last copies and checks.
SELECT ts AS time, kind, status, covers_to, duration_s, files, bytes_total, bytes_added, error
FROM backups WHERE ts >= $__timeFrom() AND ts <= $__timeTo()
ORDER BY time DESC LIMIT 50
