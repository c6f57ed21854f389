-- Frames that were refused, and the field that was wrong.
SELECT ts AS time, venue, channel, symbol, field, reason FROM quarantine
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND venue IN (${venue:sqlstring})
ORDER BY time DESC LIMIT 50
