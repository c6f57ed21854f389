-- The trading state over time, from the one that held when the time begins.
SELECT $__timeFrom()::TIMESTAMP AS time, state FROM (
  SELECT state FROM trading_state WHERE account IN (${account:sqlstring}) AND ts < $__timeFrom()
  LATEST ON ts PARTITION BY account
)
UNION ALL
SELECT ts::TIMESTAMP AS time, state FROM trading_state
WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
