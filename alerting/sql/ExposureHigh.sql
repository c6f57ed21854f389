-- statement: how much of its limit on leverage each account's gross exposure takes; 1: all of it.
-- An account that is not limited is held to 1.1 times its worth.
WITH out AS (
  SELECT account, last(gross_exposure_quote::DOUBLE) / last(equity_quote::DOUBLE) AS leverage
  FROM equity WHERE ts > dateadd('h', -1, now())
), bound AS (
  SELECT account, value FROM limits_now WHERE name = 'leverage_max'
)
SELECT o.account AS account, o.leverage / coalesce(b.value, 1.1) AS value
FROM out o LEFT JOIN bound b ON b.account = o.account
