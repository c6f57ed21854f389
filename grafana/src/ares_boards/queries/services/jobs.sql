-- The last run of every job: how it ended, when, how long it took and what came of it.
SELECT job, status, ts AS ended, duration_s, cause, outcome
FROM (SELECT * FROM job_runs WHERE seq = 1 LATEST ON ts PARTITION BY job)
ORDER BY CASE status WHEN 'ok' THEN 1 ELSE 0 END, ended DESC
