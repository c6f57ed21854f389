-- How far the profit lies below its highest ever, as a share of the account's worth at that height.
SELECT time, CASE WHEN equity + fall > 0.0 THEN fall / (equity + fall) END AS drawdown
FROM (
  SELECT s.time, s.equity, greatest(coalesce(b.profit, s.highest), s.highest) - s.profit AS fall
  FROM (
    SELECT time, account, equity, profit,
           max(highest) OVER (ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS highest
    FROM (
      SELECT ts AS time, account, last(equity_quote::DOUBLE) AS equity,
             last((equity_quote - capital_quote)::DOUBLE) AS profit,
             max((equity_quote - capital_quote)::DOUBLE) AS highest
      FROM equity
      WHERE ts >= $__timeFrom() AND ts <= $__timeTo() AND account IN (${account:sqlstring})
      SAMPLE BY $__interval
    )
  ) s
  LEFT JOIN (
    SELECT account, max((equity_quote - capital_quote)::DOUBLE) AS profit
    FROM equity WHERE ts < $__timeFrom() AND account IN (${account:sqlstring})
  ) b ON b.account = s.account
)
ORDER BY time
