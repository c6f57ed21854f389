-- statement: how far each account's profit of seven days has fallen from its best, as a share of its capital.
-- Money that came or went is no profit: equity less capital is compared.
SELECT account,
       (max(equity_quote::DOUBLE - capital_quote::DOUBLE) - last(equity_quote::DOUBLE - capital_quote::DOUBLE))
       / last(capital_quote::DOUBLE) AS value
FROM equity WHERE ts > dateadd('d', -7, now())
