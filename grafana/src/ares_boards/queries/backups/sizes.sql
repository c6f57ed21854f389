-- What each copy of a kind holds, and what of it was new, in bytes.
SELECT ts AS time, kind, max(bytes_total) AS whole, sum(bytes_added) AS added
FROM backups
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND status = 'ok' AND bytes_total IS NOT NULL
SAMPLE BY $__interval
ORDER BY time
