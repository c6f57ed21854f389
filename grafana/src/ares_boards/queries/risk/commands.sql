-- Who ordered the trader to do what, and what came of it.
SELECT ts AS time, actor, command, status, outcome FROM commands
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
ORDER BY time DESC LIMIT 50
