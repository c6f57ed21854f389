-- Changes of the trading state: halted, reducing, active again.
SELECT ts AS time, concat(account, ' ', state, ' by ', actor, ': ', reason) AS text, concat('state,', state) AS tags
FROM trading_state
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
ORDER BY time LIMIT 200
