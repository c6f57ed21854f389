-- statement: hours since a restore was last proved equal to its source. Nothing, if none was in sixty days.
SELECT datediff('h', max(ts), now())::DOUBLE AS value
FROM restore_drills WHERE status = 'ok' AND ts > dateadd('d', -60, now())
