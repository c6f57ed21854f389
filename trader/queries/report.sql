-- positions: what each strategy of an account did with each symbol in a span of time.
DECLARE @from := %(from)s, @to := %(to)s
SELECT strategy, symbol, quantity, cost_basis, mark, fills, volume_quote, fees_quote, funding_quote, realised_quote,
       realised_fifo_quote
FROM trader_report WHERE account = %(account)s ORDER BY strategy, symbol;

-- equity_before: the account's last worth before a moment.
SELECT ts, quote_currency, equity_quote, capital_quote, unrealised_quote
FROM equity WHERE account = %(account)s AND ts < %(at)s LATEST ON ts PARTITION BY account;

-- equity_first: the account's first worth in a span of time.
SELECT ts, quote_currency, equity_quote, capital_quote, unrealised_quote
FROM equity WHERE account = %(account)s AND ts >= %(from)s AND ts < %(to)s ORDER BY ts LIMIT 1;

-- drawdown: how far the account fell from its best, in quote; deposits and withdrawals are no rise and no fall.
SELECT max(peak - profit) AS drawdown_quote FROM (
  SELECT profit, max(profit) OVER (ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS peak
  FROM (
    SELECT ts, (equity_quote - capital_quote)::DOUBLE AS profit
    FROM equity WHERE account = %(account)s AND ts >= %(from)s AND ts < %(to)s AND capital_quote IS NOT NULL
  )
);
