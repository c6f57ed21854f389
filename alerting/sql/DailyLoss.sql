-- statement: what each account lost since midnight UTC, as a share of its capital. Below 0: it won.
SELECT account, -last(day_pnl_quote::DOUBLE) / last(capital_quote::DOUBLE) AS value
FROM equity WHERE ts > dateadd('h', -1, now())
