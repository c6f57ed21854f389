-- How old what the newest good backup covers is, by kind, in seconds: what a disaster now would cost.
SELECT kind, datediff('s', covers_to, now()) AS age_s
FROM (SELECT kind, covers_to FROM backups WHERE status = 'ok' AND covers_to IS NOT NULL LATEST ON ts PARTITION BY kind)
ORDER BY kind
