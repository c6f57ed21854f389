-- Limits that were set, taken back or asked for while trading went on, and by whom.
SELECT ts AS time, name, strategy, symbol, status, before::DOUBLE AS before, value::DOUBLE AS value, unit, actor,
       approved_by, reason
FROM limits WHERE account IN (${account:sqlstring})
ORDER BY time DESC LIMIT 50
