-- How much of each limit on the whole account is used now: 1 is at the limit.
WITH worth AS (
  SELECT account, equity_quote::DOUBLE AS equity, gross_exposure_quote::DOUBLE AS gross,
         day_pnl_quote::DOUBLE AS day_profit, (equity_quote - capital_quote)::DOUBLE AS profit
  FROM equity WHERE account IN (${account:sqlstring}) LATEST ON ts PARTITION BY account
), peak AS (
  SELECT account, max((equity_quote - capital_quote)::DOUBLE) AS profit FROM equity
  WHERE account IN (${account:sqlstring})
), held AS (
  SELECT account, abs(sum(held_quote)) AS net, max(abs(worst_case_quote)) AS largest
  FROM exposure WHERE account IN (${account:sqlstring})
), figures AS (
  SELECT w.account, w.equity, w.gross, w.day_profit, p.profit - w.profit AS fall, h.net, h.largest
  FROM worth w LEFT JOIN peak p ON p.account = w.account LEFT JOIN held h ON h.account = w.account
)
SELECT l.name AS limit_name,
       CASE l.name
         WHEN 'gross_exposure_quote_max' THEN f.gross
         WHEN 'net_exposure_quote_max' THEN coalesce(f.net, 0.0)
         WHEN 'position_quote_max' THEN coalesce(f.largest, 0.0)
         WHEN 'concentration_max' THEN coalesce(f.largest, 0.0) / f.equity
         WHEN 'leverage_max' THEN f.gross / f.equity
         WHEN 'daily_loss_quote_max' THEN greatest(0.0, -f.day_profit)
         WHEN 'drawdown_max' THEN f.fall / (f.equity + f.fall)
       END / l.value AS used
FROM limits_now l JOIN figures f ON f.account = l.account
WHERE l.value IS NOT NULL AND l.name IN ('gross_exposure_quote_max', 'net_exposure_quote_max', 'position_quote_max',
  'concentration_max', 'leverage_max', 'daily_loss_quote_max', 'drawdown_max')
ORDER BY used DESC
