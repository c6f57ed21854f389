-- statement: gross exposure of each account over its worth.
SELECT account, last(gross_exposure_quote::DOUBLE) / last(equity_quote::DOUBLE) AS value
FROM equity WHERE ts > dateadd('h', -1, now())
