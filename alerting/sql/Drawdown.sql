-- statement: how much of its drawdown limit each account's fall from the best profit of seven days takes; 1: all of it.
-- As the trader counts it: profit is equity less capital (money that came or went is none), and the fall a share of
-- what the account was worth at its best. An account that is not limited is held to a twentieth.
WITH fell AS (
  SELECT account, max(profit) - last(profit) AS fall, last(worth) AS worth
  FROM (
    SELECT ts, account, (equity_quote - capital_quote)::DOUBLE AS profit, equity_quote::DOUBLE AS worth
    FROM equity WHERE ts > dateadd('d', -7, now())
  )
), bound AS (
  SELECT account, value FROM limits_now WHERE name = 'drawdown_max'
)
SELECT f.account AS account, f.fall / (f.worth + f.fall) / coalesce(b.value, 0.05) AS value
FROM fell f LEFT JOIN bound b ON b.account = f.account
