-- How long ago a restore was last proved equal to its source, in seconds.
SELECT datediff('s', max(ts), now()) AS age_s FROM restore_drills WHERE status = 'ok'
