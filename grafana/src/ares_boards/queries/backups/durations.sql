-- How long copies took, and for how long QuestDB was held by a checkpoint.
SELECT ts AS time, kind, max(duration_s) AS whole, max(checkpoint_s) AS checkpoint
FROM backups
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND status = 'ok'
SAMPLE BY $__interval
ORDER BY time
