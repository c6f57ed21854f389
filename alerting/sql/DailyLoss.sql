-- statement: how much of its limit on a day's loss each account has lost since midnight UTC; 1: all of it, below 0: it won.
-- An account that is not limited is held to a fiftieth of its capital.
WITH lost AS (
  SELECT account, -last(day_pnl_quote::DOUBLE) AS loss, last(capital_quote::DOUBLE) AS capital
  FROM equity WHERE ts > dateadd('h', -1, now())
), bound AS (
  SELECT account, value FROM limits_now WHERE name = 'daily_loss_quote_max'
)
SELECT l.account AS account, l.loss / coalesce(b.value, 0.02 * l.capital) AS value
FROM lost l LEFT JOIN bound b ON b.account = l.account
