-- worth: what accounts were worth in the last seven days, by quarters of an hour; best: the highest profit within each.
SELECT ts::long AS ts, account, quote_currency, worth, profit, best FROM (
  SELECT ts, account, quote_currency, last(worth) AS worth, last(profit) AS profit, max(profit) AS best FROM (
    SELECT ts, account, quote_currency, equity_quote::DOUBLE AS worth, (equity_quote - capital_quote)::DOUBLE AS profit
    FROM equity WHERE ts > dateadd('d', -7, now()) AND (%(accounts)s = '' OR account ~ %(accounts)s)
  ) SAMPLE BY 15m
) ORDER BY ts, account;

-- day: what accounts were worth in the last day, by five minutes.
SELECT ts::long AS ts, account, worth FROM (
  SELECT ts, account, last(worth) AS worth FROM (
    SELECT ts, account, equity_quote::DOUBLE AS worth
    FROM equity WHERE ts > dateadd('d', -1, now()) AND (%(accounts)s = '' OR account ~ %(accounts)s)
  ) SAMPLE BY 5m
) ORDER BY ts, account;

-- days: the profit of each account by days (UTC), as each ended, of the last 30.
SELECT ts::long AS ts, account, quote_currency, day_pnl_quote, equity_quote FROM (
  SELECT ts, account, quote_currency, last(day) AS day_pnl_quote, last(worth) AS equity_quote FROM (
    SELECT ts, account, quote_currency, day_pnl_quote::DOUBLE AS day, equity_quote::DOUBLE AS worth
    FROM equity WHERE ts > dateadd('d', -30, now()) AND (%(accounts)s = '' OR account ~ %(accounts)s)
  ) SAMPLE BY 1d
) ORDER BY ts DESC, account;

-- traded: fills and fees of each account by days (UTC), of the last 30.
SELECT ts::long AS ts, account, fills, fees_quote, turnover_quote FROM (
  SELECT ts, account, count() AS fills, sum(fee) AS fees_quote, sum(traded) AS turnover_quote FROM (
    SELECT ts, account, fee_quote::DOUBLE AS fee, cost::DOUBLE AS traded FROM fills
    WHERE ts > dateadd('d', -30, now()) AND (%(accounts)s = '' OR account ~ %(accounts)s)
      AND (%(strategies)s = '' OR strategy ~ %(strategies)s)
  ) SAMPLE BY 1d
) ORDER BY ts DESC, account;
