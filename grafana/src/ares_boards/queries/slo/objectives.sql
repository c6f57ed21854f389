-- What was promised of recovery, and what is so now, in seconds; used is the share of what is allowed.
SELECT promise, now_s, allowed_s, now_s / allowed_s AS used FROM (
  SELECT 'decisions and audit in a backup' AS promise, max(datediff('s', covers_to, now())) * 1.0 AS now_s,
         90.0 AS allowed_s
  FROM (SELECT covers_to FROM backups WHERE status = 'ok' AND kind = 'journal' LATEST ON ts PARTITION BY kind)
  UNION ALL
  SELECT 'market data in a backup', max(datediff('s', covers_to, now())) * 1.0, 900.0
  FROM (SELECT covers_to FROM backups WHERE status = 'ok' AND kind = 'market' LATEST ON ts PARTITION BY kind)
  UNION ALL
  SELECT 'a restore that was proved', max(datediff('s', ts, now())) * 1.0, 93600.0
  FROM (SELECT ts FROM restore_drills WHERE status = 'ok' LATEST ON ts PARTITION BY status)
)
ORDER BY used DESC
