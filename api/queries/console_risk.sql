-- drawdown: by how much each account's profit lies below its best of seven days, as a share of its worth at that best.
-- As the trader counts it: profit is equity less capital, so money that came or went is no gain and no loss.
SELECT account, CASE WHEN worth + fall > 0 THEN fall / (worth + fall) ELSE NULL END AS drawdown
FROM (
  SELECT account, max(profit) - last(profit) AS fall, last(worth) AS worth
  FROM (
    SELECT ts, account, (equity_quote - capital_quote)::DOUBLE AS profit, equity_quote::DOUBLE AS worth
    FROM equity WHERE ts > dateadd('d', -7, now()) AND (%(accounts)s = '' OR account ~ %(accounts)s)
  )
);
