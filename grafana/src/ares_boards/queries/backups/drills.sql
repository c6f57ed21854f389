-- The last restore drills: what a disaster would have cost, how long the way back took, what was unlike the source.
SELECT ts AS time, status, rpo_market_s, rpo_journal_s, rto_s, bytes_restored, tables, partitions, differences, error
FROM restore_drills ORDER BY time DESC LIMIT 30
