-- How long the runs of each job took.
SELECT ts AS time, job AS metric, max(duration_s) AS value
FROM job_runs
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND seq = 1
SAMPLE BY $__interval
ORDER BY time
