-- Runs of jobs that failed within the chosen time.
SELECT count() AS runs FROM job_runs
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND seq = 1 AND status <> 'ok'
