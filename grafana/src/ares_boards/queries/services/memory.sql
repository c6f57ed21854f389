-- Resident memory of every service, in MiB.
SELECT ts AS time, service AS metric, max(resident_mb) AS value
FROM services
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND resident_mb IS NOT NULL
SAMPLE BY $__interval
ORDER BY time
