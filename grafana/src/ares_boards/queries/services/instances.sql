-- Every instance of a service of the last day: its state, release, how long ago it gave a sign of life, what it takes.
SELECT service, instance, state, s.version AS release, host, datediff('s', ts, now()) AS silent_s, resident_mb,
       open_files, threads, detail
FROM (SELECT * FROM services WHERE ts >= dateadd('d', -1, now()) LATEST ON ts PARTITION BY service, instance) s
ORDER BY service, ts DESC
